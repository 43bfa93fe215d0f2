// Comparing what disks can do.

import type { Capabilities } from "../contract/index.ts";

/** What a disk can do that another cannot, by name. How it does it is not compared. */
export function lostCapabilities(before: Capabilities, after: Capabilities, keys: readonly (keyof Capabilities)[]): string[] {
  return keys.filter((key) => able(before[key]) && !able(after[key]));
}

function able(value: boolean | string): boolean {
  return value !== false && value !== "none";
}
