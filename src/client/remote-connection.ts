// The Connection that an export is: what the server said it can do, each request cut to what it takes and sent where there is least to do.

import type { Connection } from "../contract/connection.ts";
import { DiskError } from "../contract/error.ts";
import type { WriteFlags, ZeroFlags } from "../contract/flags.ts";
import { Command, CommandFlag, DEFAULT_MAX_PAYLOAD, TransmissionFlag } from "../protocol/constants.ts";
import type { Sessions } from "./open-sessions.ts";
import { inPieces } from "./pieces.ts";
import { remoteStatus } from "./remote-status.ts";
import type { Session } from "./session.ts";
import { WriteBarrier } from "./write-barrier.ts";

/** The longest range that a compact request can have, as a multiple of every block size that there can be. */
const MAX_COMPACT: bigint = 2n ** 32n - 65_536n;

/** Makes a Connection of one or more sessions on the same export. */
export function remoteConnection({ list: sessions, close }: Sessions, readonly: boolean): Connection {
  const first = sessions[0] as Session;
  const { size, flags, blockSize, description, mode } = first.agreement;
  const can = (flag: number): boolean => (flags & flag) !== 0;
  // Nobody has to take more than 32 MiB, whatever is advertised.
  const maxPayload = Math.min(blockSize?.maximum ?? DEFAULT_MAX_PAYLOAD, DEFAULT_MAX_PAYLOAD);
  const maxRange = mode === "extended" ? size : MAX_COMPACT;
  const check = alignmentCheck(blockSize?.minimum ?? 1);
  const next = sessions.length === 1 ? () => first : leastLoaded(sessions);
  const barrier = sessions.length === 1 ? undefined : new WriteBarrier();
  const track = (write: Promise<void>): Promise<void> => (barrier === undefined ? write : barrier.track(write));
  const onRange = (command: number, offset: bigint, length: bigint, maximum: bigint, commandFlags: number): Promise<void> =>
    inPieces(offset, length, maximum, (at, bytes) => next().command(command, at, bytes, commandFlags));

  const reading = {
    read(target: Uint8Array, offset: bigint): Promise<void> {
      check("read", offset, target.length);
      if (target.length <= maxPayload) return next().read(target, offset);
      return inPieces(offset, BigInt(target.length), BigInt(maxPayload), (at, bytes) => next().read(part(target, at - offset, bytes), at));
    },
    cache(offset: bigint, length: bigint): Promise<void> {
      check("cache", offset, length);
      // Some servers hold what they cache to the size of what they can send.
      return onRange(Command.CACHE, offset, length, BigInt(maxPayload), 0);
    },
    async flush(): Promise<void> {
      await barrier?.pass();
      await next().command(Command.FLUSH, 0n, 0n, 0);
    },
  };
  const writing = {
    write(source: Uint8Array, offset: bigint, { fua }: WriteFlags): Promise<void> {
      check("write", offset, source.length);
      const commandFlags = fua ? CommandFlag.FUA : 0;
      if (source.length <= maxPayload) return track(next().write(source, offset, commandFlags));
      const step = (at: bigint, bytes: bigint): Promise<void> => next().write(part(source, at - offset, bytes), at, commandFlags);
      return track(inPieces(offset, BigInt(source.length), BigInt(maxPayload), step));
    },
    trim(offset: bigint, length: bigint, { fua }: WriteFlags): Promise<void> {
      check("trim", offset, length);
      return track(onRange(Command.TRIM, offset, length, maxRange, fua ? CommandFlag.FUA : 0));
    },
    zero(offset: bigint, length: bigint, { fua, noHole, fastZero }: ZeroFlags): Promise<void> {
      check("zero", offset, length);
      const commandFlags = (fua ? CommandFlag.FUA : 0) | (noHole ? CommandFlag.NO_HOLE : 0) | (fastZero ? CommandFlag.FAST_ZERO : 0);
      return track(onRange(Command.WRITE_ZEROES, offset, length, maxRange, commandFlags));
    },
  };

  const writable = !readonly && !can(TransmissionFlag.READ_ONLY);
  return {
    size,
    ...(blockSize && { blockSize }),
    ...(description !== undefined && { description }),
    traits: {
      fua: can(TransmissionFlag.SEND_FUA) ? "native" : can(TransmissionFlag.SEND_FLUSH) ? "emulate" : "none",
      fastZero: can(TransmissionFlag.SEND_FAST_ZERO),
      multiConn: can(TransmissionFlag.CAN_MULTI_CONN),
      rotational: can(TransmissionFlag.ROTATIONAL),
      // Reading over the network to nowhere brings nothing near.
      cache: can(TransmissionFlag.SEND_CACHE) ? "native" : "none",
    },
    read: reading.read,
    ...(can(TransmissionFlag.SEND_CACHE) && { cache: reading.cache }),
    ...(can(TransmissionFlag.SEND_FLUSH) && { flush: reading.flush }),
    ...(writable && { write: writing.write }),
    ...(writable && can(TransmissionFlag.SEND_TRIM) && { trim: writing.trim }),
    ...(writable && can(TransmissionFlag.SEND_WRITE_ZEROES) && { zero: writing.zero }),
    ...remoteStatus(sessions, next, maxRange),
    close,
  };
}

function part(bytes: Uint8Array, start: bigint, length: bigint): Uint8Array {
  return bytes.subarray(Number(start), Number(start + length));
}

/** The protocol holds a client to the minimum block size that it was told. */
function alignmentCheck(minimum: number): (operation: string, offset: bigint, length: number | bigint) => void {
  if (minimum === 1) return () => undefined;
  const block = BigInt(minimum);
  return (operation, offset, length) => {
    if (offset % block === 0n && BigInt(length) % block === 0n) return;
    throw new DiskError(
      "EINVAL",
      `cannot ${operation} ${length} bytes at ${offset}: the server takes whole blocks of ${minimum} bytes only`,
    );
  };
}

/** Picks the session with the fewest requests under way; among equals, in turn. */
function leastLoaded(sessions: readonly Session[]): () => Session {
  let turn = 0;
  return () => {
    turn = (turn + 1) % sessions.length;
    let best = sessions[turn] as Session;
    for (let i = 1; i < sessions.length && best.inFlight > 0; i += 1) {
      const session = sessions[(turn + i) % sessions.length] as Session;
      if (session.inFlight < best.inFlight) best = session;
    }
    return best;
  };
}
