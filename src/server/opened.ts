// An export that is open for one client, as the handshake and the transmission phase see it.

import type { Disk } from "../contract/disk.ts";
import { openLayer } from "../contract/open.ts";
import type { ClientInfo, OpenRequest } from "../contract/plugin.ts";
import { TransmissionFlag as Flag } from "../protocol/constants.ts";
import type { ReplyMode } from "../protocol/replies.ts";
import type { NegotiableExport } from "../protocol/server-negotiation.ts";
import type { Choice } from "./exports.ts";

/** An open export. */
export interface OpenedExport extends NegotiableExport {
  readonly choice: Choice;
  readonly disk: Disk;
  readonly readonly: boolean;
}

/**
 * Opens what a client chose.
 *
 * @param disconnect - lets the client go
 * @param maxPayload - the largest payload that the server takes, advertised unless the disk wants less
 */
export async function openExport(
  choice: Choice,
  client: ClientInfo,
  disconnect: OpenRequest["disconnect"],
  maxPayload: number,
): Promise<OpenedExport> {
  const readonly = choice.readonly ?? client.readonly;
  const disk = await openLayer(choice.plugin, { ...client, readonly, exportName: choice.exportName, disconnect });
  const isReadonly = readonly || !disk.capabilities.write;
  return {
    choice,
    disk,
    readonly: isReadonly,
    size: disk.size,
    canonicalName: choice.exportName,
    description: choice.description ?? disk.description,
    blockSize: blockSizeOf(disk, maxPayload),
    contexts: disk.contexts.map(({ name }) => name),
    flags: (mode, contexts) => transmissionFlags(disk, isReadonly, mode, contexts),
  };
}

/** What the disk says, and less where the server takes less. */
function blockSizeOf({ blockSize }: Disk, maxPayload: number): NegotiableExport["blockSize"] {
  const { minimum, preferred, maximum } = blockSize ?? { minimum: 1, preferred: 4096, maximum: maxPayload };
  return [minimum, Math.min(preferred, 2 ** Math.floor(Math.log2(maxPayload))), Math.min(maximum, maxPayload - (maxPayload % minimum))];
}

function transmissionFlags({ capabilities }: Disk, readonly: boolean, mode: ReplyMode, contexts: number): number {
  let flags: number = Flag.HAS_FLAGS;
  if (readonly) flags |= Flag.READ_ONLY;
  if (capabilities.flush) flags |= Flag.SEND_FLUSH;
  if (capabilities.rotational) flags |= Flag.ROTATIONAL;
  if (capabilities.cache !== "none") flags |= Flag.SEND_CACHE;
  if (capabilities.multiConn) flags |= Flag.CAN_MULTI_CONN;
  if (mode !== "simple") flags |= Flag.SEND_DF;
  if (mode === "extended" && contexts > 0) flags |= Flag.BLOCK_STATUS_PAYLOAD;
  if (readonly) return flags;
  if (capabilities.fua !== "none") flags |= Flag.SEND_FUA;
  if (capabilities.trim) flags |= Flag.SEND_TRIM;
  if (!capabilities.offersZero) return flags;
  flags |= Flag.SEND_WRITE_ZEROES;
  // Where zeroing is always writing, a fast one always fails at once: that is an answer too.
  if (capabilities.fastZero || !capabilities.zero) flags |= Flag.SEND_FAST_ZERO;
  return flags;
}
