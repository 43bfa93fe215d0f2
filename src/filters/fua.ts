// The fua filter: other ways of forcing what is written to stable storage, or none.

import { checkOneOf } from "../common/one-of.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { filter, type Overrides } from "../contract/filter.ts";
import { writeFlags, zeroFlags } from "../contract/flags.ts";
import type { Filter } from "../contract/plugin.ts";

const modes: readonly FuaMode[] = ["none", "emulate", "native", "force", "pass", "discard"];

/** How {@link fua} treats force unit access and flushes. */
export type FuaMode = "none" | "emulate" | "native" | "force" | "pass" | "discard";

/** How {@link fua} works. */
export interface FuaOptions {
  /**
   * `none`: clients are not offered FUA, but can flush. `emulate`: FUA becomes a flush after the write, also where the disk could do better. `native`:
   * FUA is passed on, and a disk that has none is refused. `force`: every write is done with FUA, and flushes do nothing. `pass`: nothing is
   * changed. `discard`: FUA and flushes do nothing; what was written may be lost in a crash. Default: `none`.
   */
  readonly mode?: FuaMode;
}

const fast = writeFlags(false);
const forced = writeFlags(true);

/**
 * Changes how a disk forces what is written to stable storage: to test clients, to compare, to write through (`force`), or to be
 * fast with data that may be lost (`discard`).
 *
 * @throws DiskError EINVAL when there is no such mode
 * @example Every write is on stable storage once it is answered
 * ```ts
 * const disk = pipe(myPlugin, fua({ mode: "force" }));
 * ```
 */
export function fua(options: FuaOptions = {}): Filter {
  const { mode = "none" } = options;
  checkOneOf("mode", mode, modes);
  return filter("fua", (disk) => (disk.capabilities.write ? overrides(disk, mode) : {}));
}

function overrides(disk: Disk, mode: FuaMode): Overrides {
  const can = disk.capabilities;
  switch (mode) {
    case "none":
      return { traits: { fua: "none" } };
    case "pass":
      return {};
    case "emulate":
      if (!can.flush) throw new DiskError("EINVAL", "fua cannot emulate FUA: the disk below has no flush");
      return { traits: { fua: "emulate" } };
    case "native":
      if (can.fua === "none") throw new DiskError("EINVAL", "fua cannot pass FUA on: the disk below has none");
      return {};
    case "force":
      if (can.fua === "none") throw new DiskError("EINVAL", "fua cannot force FUA: the disk below has none");
      return always(disk, true);
    case "discard":
      return always(disk, false);
  }
}

/** The disk with FUA on all that is written, or on nothing. */
function always(disk: Disk, on: boolean): Overrides {
  const { capabilities: can, room } = disk;
  const flags = on ? forced : fast;
  return {
    traits: { fua: "native", trimZeroes: can.trimZeroes },
    write: (source, offset) => disk.write(source, offset, flags),
    ...(room && { room }),
    ...(can.trim && { trim: (offset, length) => disk.trim(offset, length, flags) }),
    ...(can.zero && {
      zero: (offset, length, { noHole, fastZero }) => disk.zero(offset, length, zeroFlags(on, noHole, fastZero)),
    }),
    flush: () => undefined,
  };
}
