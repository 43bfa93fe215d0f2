// The nocache filter: requests to bring a range near are not offered, done by reading, or ignored.

import { DiskError } from "../contract/error.ts";
import { filter, type Overrides } from "../contract/filter.ts";
import type { Filter } from "../contract/plugin.ts";

/** How {@link nocache} works. */
export interface NocacheOptions {
  /** `none`: clients are not offered cache requests. `emulate`: the range is read. `nop`: they do nothing. Default: `none`. */
  readonly mode?: "none" | "emulate" | "nop";
}

const modes: Readonly<Partial<Record<string, Overrides>>> = {
  none: { cache: undefined, traits: { cache: "none" } },
  emulate: { cache: undefined, traits: { cache: "emulate" } },
  nop: { cache: () => undefined },
};

/**
 * Takes away what a disk does when it is asked to bring a range near, to see what difference it makes.
 *
 * @throws DiskError EINVAL when there is no such mode
 * @example
 * ```ts
 * const disk = pipe(myPlugin, nocache({ mode: "nop" }));
 * ```
 */
export function nocache(options: NocacheOptions = {}): Filter {
  const { mode = "none" } = options;
  const overrides = Object.hasOwn(modes, mode) ? modes[mode] : undefined;
  if (overrides === undefined) throw new DiskError("EINVAL", `mode ${JSON.stringify(mode)}: expected none, emulate, nop`);
  return filter("nocache", () => overrides);
}
