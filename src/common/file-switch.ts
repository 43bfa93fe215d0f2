// A setting that is on, off, or on for as long as a file exists.

import { existsSync } from "node:fs";
import { DiskError } from "../contract/error.ts";

/**
 * Reads such a setting. What it answers tells, whenever it is asked, whether the setting is on.
 *
 * @param value - `true`, `false`, or the absolute path of a file whose existence decides
 * @param name - what is set, for the error's text
 * @throws DiskError EINVAL when it is none of these
 */
export function parseFileSwitch(value: boolean | string, name: string): () => boolean {
  if (typeof value === "boolean") return () => value;
  if (typeof value === "string" && value.startsWith("/")) return () => existsSync(value);
  throw new DiskError(
    "EINVAL",
    `${name} ${JSON.stringify(value)}: expected true, false or the absolute path of a file whose existence decides`,
  );
}
