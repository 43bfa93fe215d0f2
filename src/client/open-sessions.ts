// The connections that a remote disk uses: one, or several where the server allows it and all of them show the same disk.

import { DiskError } from "../contract/error.ts";
import { type ExportAgreement, negotiateExport } from "../protocol/client-negotiation.ts";
import { TransmissionFlag } from "../protocol/constants.ts";
import type { Channel } from "./channel.ts";
import { negotiate } from "./negotiate.ts";
import type { ConnectOptions } from "./options.ts";
import { Session } from "./session.ts";
import { whenAborted } from "./when-aborted.ts";

/** The connections of a disk. */
export interface Sessions {
  /** At least one. */
  readonly list: readonly Session[];
  /** Takes leave on all of them. */
  close(): Promise<void>;
}

/** Opens the connections. When one of them breaks, now or later, so do the others. */
export async function openSessions(open: () => Channel, exportName: string, options: ConnectOptions): Promise<Sessions> {
  const { signal, timeout, requestTimeout = Number.POSITIVE_INFINITY, replies = "extended", contexts = [], connections = 1 } = options;
  signal?.throwIfAborted();
  const channels: Channel[] = [];
  const list: Session[] = [];
  const failures: unknown[] = [];
  // A server that has let one connection down cannot be trusted with the others.
  const abort = (error: unknown): void => {
    release();
    failures.push(error);
    for (const channel of channels) channel.fail(error);
  };
  const release = whenAborted(signal, abort);
  const openSession = async (): Promise<Session> => {
    if (failures.length > 0) throw failures[0];
    const channel = open();
    channels.push(channel);
    const agreement = await negotiate(channel, negotiateExport({ exportName, replies, contexts }), timeout);
    if (list[0] !== undefined) checkSame(list[0].agreement, agreement, channel);
    const session = new Session(channel, agreement, requestTimeout, abort);
    list.push(session);
    return session;
  };
  const openAll = async (): Promise<void> => {
    const { agreement } = await openSession();
    if ((agreement.flags & TransmissionFlag.CAN_MULTI_CONN) === 0) return;
    for (const result of await Promise.allSettled(Array.from({ length: connections - 1 }, openSession))) {
      if (result.status === "rejected") failures.push(result.reason);
    }
    if (failures.length > 0) throw failures[0];
  };
  const close = async (): Promise<void> => {
    await Promise.all(list.map((session) => session.close()));
    release();
  };
  try {
    await openAll();
    return { list, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Several connections must show one disk. */
function checkSame(first: ExportAgreement, other: ExportAgreement, channel: Channel): void {
  const others = shown(other);
  for (const [what, value] of Object.entries(shown(first))) {
    if (others[what] === value) continue;
    const error = new DiskError("EPROTO", `the connections to the server do not show the same disk: ${what} ${value} and ${others[what]}`);
    channel.fail(error);
    throw error;
  }
}

/** What a connection shows of its disk, in words. */
function shown({ size, flags, mode, exportName, contexts }: ExportAgreement): Record<string, string> {
  const names = contexts.map(({ name }) => name).toSorted();
  return { size: String(size), flags: `0x${flags.toString(16)}`, mode, name: JSON.stringify(exportName), contexts: JSON.stringify(names) };
}
