// Options that take one of a few words.

import { DiskError } from "../contract/error.ts";

/**
 * Checks an option.
 *
 * @throws DiskError EINVAL naming the option, its value and what is allowed
 */
export function checkOneOf(name: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw new DiskError("EINVAL", `${name} ${JSON.stringify(value)}: expected ${allowed.join(", ")}`);
}
