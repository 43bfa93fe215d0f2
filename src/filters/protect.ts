// The protect filter: parts of a disk that cannot be changed.

import { isZeroes } from "../common/zeroes.ts";
import { type Awaitable, isPromise } from "../contract/awaitable.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { filter } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";
import type { Size } from "../contract/size.ts";
import { slices } from "../contract/slices.ts";
import { type Part, partsOf, protectedParts, toRange } from "./protect/ranges.ts";

/** A range that {@link protect} protects. */
export interface ProtectedRange {
  /** Where it starts, in bytes. Default: 0. */
  readonly offset?: Size;
  /** How many bytes. Default: all that follow. */
  readonly length?: Size;
  /** Protects everything but this range. Default: false. */
  readonly outside?: boolean;
}

/**
 * Protects parts of a disk against change. A write succeeds if it leaves the protected bytes as they are, and fails with EPERM otherwise, without writing
 * anything. Trimming leaves protected bytes alone.
 *
 * @param ranges - what is protected; as nbdkit writes it, a range is `START-END`, its last byte included, or `~START-END` for everything but that
 * @throws DiskError EINVAL when one is no range
 * @example The boot code is protected, the partition table is not
 * ```ts
 * const disk = pipe(myPlugin, protect({ offset: 0, length: 446 }));
 * ```
 */
export function protect(...ranges: readonly (ProtectedRange | string)[]): Filter {
  const given = ranges.map(toRange);
  return filter("protect", (disk) => {
    const guarded = protectedParts(given, disk.size);
    if (guarded.length === 0 || !disk.capabilities.write) return {};
    const { capabilities: can } = disk;
    const split = (offset: bigint, length: bigint): readonly Part[] => partsOf(guarded, offset, length);
    return {
      traits: { trimZeroes: false },

      write(source, offset, flags) {
        const parts = split(offset, BigInt(source.length));
        if (!parts.some(isProtected)) return disk.write(source, offset, flags);
        const write = (): Awaitable<void> => (parts.every(isProtected) ? undefined : disk.write(source, offset, flags));
        return after(
          eachProtected(disk, parts, (bytes, at) => {
            const start = Number(at - offset);
            if (Buffer.compare(bytes, source.subarray(start, start + bytes.length)) !== 0) throw refused("write", at);
          }),
          write,
        );
      },

      ...(can.zero && {
        zero(offset, length, flags) {
          const parts = split(offset, length);
          if (!parts.some(isProtected)) return disk.zero(offset, length, flags);
          if (flags.fastZero) throw new DiskError("ENOTSUP", "cannot zero fast: protected bytes have to be looked at");
          const zero = (): Awaitable<void> => (parts.every(isProtected) ? undefined : disk.zero(offset, length, flags));
          return after(
            eachProtected(disk, parts, (bytes, at) => {
              if (!isZeroes(bytes)) throw refused("zero", at);
            }),
            zero,
          );
        },
      }),

      ...(can.trim && {
        trim(offset, length, flags) {
          const parts = split(offset, length);
          if (!parts.some(isProtected)) return disk.trim(offset, length, flags);
          return inTurn(
            parts.filter((part) => !part.guarded),
            (part) => disk.trim(part.start, part.end - part.start, flags),
          );
        },
      }),
    };
  });
}

function isProtected({ guarded }: Part): boolean {
  return guarded;
}

function refused(operation: string, at: bigint): DiskError {
  return new DiskError("EPERM", `cannot ${operation}: it would change protected bytes`, { offset: at });
}

/** Reads what is protected, and has it looked at. */
function eachProtected(disk: Disk, parts: readonly Part[], check: (bytes: Uint8Array, at: bigint) => void): Awaitable<void> {
  return inTurn(parts.filter(isProtected), ({ start, end }) => {
    const step = (buffer: Uint8Array, at: bigint): Awaitable<void> => {
      const done = disk.read(buffer, at);
      if (isPromise(done)) return done.then(() => check(buffer, at));
      check(buffer, at);
      return undefined;
    };
    return slices(start, end - start, disk.blockSize, step, () => undefined);
  });
}

/** Synchronous for as long as the steps are. */
function inTurn(parts: readonly Part[], step: (part: Part) => Awaitable<void>): Awaitable<void> {
  let done: Awaitable<void> | undefined;
  for (const part of parts) done = after(done, () => step(part));
  return done;
}

function after(done: Awaitable<void> | undefined, next: () => Awaitable<void>): Awaitable<void> {
  return isPromise(done) ? done.then(next) : next();
}
