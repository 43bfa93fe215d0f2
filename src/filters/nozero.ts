// The nozero filter: other ways of zeroing ranges, or none.

import { checkOneOf } from "../common/one-of.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { filter, type Overrides } from "../contract/filter.ts";
import { writeFlags, type ZeroFlags, zeroFlags } from "../contract/flags.ts";
import type { Filter } from "../contract/plugin.ts";
import { slices } from "../contract/slices.ts";

const modes = ["none", "emulate", "notrim", "plugin"] as const;
const fastModes = ["none", "slow", "ignore", "default"] as const;

/** How {@link nozero} works. */
export interface NozeroOptions {
  /**
   * `none`: clients are not offered to have ranges zeroed, and have to write zeroes. `emulate`: zeroes are written for them, also where the disk could do
   * better. `notrim`: the disk zeroes, and may not make a hole. `plugin`: the disk zeroes as ever. The last two refuse a disk that has no zeroing of its own.
   * Default: `none`.
   */
  readonly mode?: "none" | "emulate" | "notrim" | "plugin";
  /**
   * Zeroing that is to fail rather than be slow. `none`: clients are not offered it. `slow`: it fails always. `ignore`: it is done, slow or not, which
   * breaks the protocol. `default`: as the mode has it: with `emulate` it fails, with `notrim` and `plugin` it is up to the disk.
   */
  readonly fastMode?: "none" | "slow" | "ignore" | "default";
}

/**
 * Takes away what a disk does to zero ranges fast, or without holes, to test clients and to see what difference it makes.
 *
 * @throws DiskError EINVAL when there is no such mode
 * @example Clients have to write zeroes
 * ```ts
 * const disk = pipe(myPlugin, nozero());
 * ```
 */
export function nozero(options: NozeroOptions = {}): Filter {
  const { mode = "none", fastMode = "default" } = options;
  checkOneOf("mode", mode, modes);
  checkOneOf("fastMode", fastMode, fastModes);
  return filter("nozero", (disk) => {
    const can = disk.capabilities;
    if (!can.write) return {};
    if (mode === "none") return { zero: undefined, traits: { offersZero: false, trimZeroes: false } };
    if (mode !== "emulate" && !can.zero) throw new DiskError("EINVAL", `nozero cannot do with mode ${mode}: the disk below has no zeroing`);
    const trimZeroes = can.trimZeroes;
    const zero = zeroing(disk, mode);
    switch (fastMode) {
      case "none":
        return { zero: (offset, length, flags) => zero(offset, length, slow(flags)), traits: { fastZero: false, trimZeroes } };
      case "ignore":
        return { zero: (offset, length, flags) => zero(offset, length, slow(flags)), traits: { fastZero: true, trimZeroes } };
      case "slow":
        return { zero: (offset, length, flags) => zero(offset, length, refuseFast(flags)), traits: { fastZero: true, trimZeroes } };
      case "default":
        if (mode !== "emulate") return { zero };
        return { zero: (offset, length, flags) => zero(offset, length, refuseFast(flags)), traits: { fastZero: true, trimZeroes } };
    }
  });
}

type Zero = NonNullable<Overrides["zero"]>;

function zeroing(disk: Disk, mode: "emulate" | "notrim" | "plugin"): Zero {
  switch (mode) {
    case "emulate":
      return (offset, length, { fua }) => {
        const flags = writeFlags(fua);
        return slices(
          offset,
          length,
          disk.blockSize,
          (zeroes, at) => disk.write(zeroes, at, flags),
          () => undefined,
        );
      };
    case "notrim":
      return (offset, length, { fua, fastZero }) => disk.zero(offset, length, zeroFlags(fua, true, fastZero));
    case "plugin":
      return disk.zero;
  }
}

function slow({ fua, noHole }: ZeroFlags): ZeroFlags {
  return zeroFlags(fua, noHole, false);
}

function refuseFast(flags: ZeroFlags): ZeroFlags {
  if (flags.fastZero) throw new DiskError("ENOTSUP", "zeroing is not fast here");
  return flags;
}
