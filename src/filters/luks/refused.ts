// The two ways in which a LUKS disk is not opened.

import { DiskError } from "../../contract/error.ts";

/** A header that says something impossible, or that asks for what is not supported. */
export function refused(what: string): DiskError {
  return new DiskError("EINVAL", `luks: ${what}`);
}

/** No keyslot opens with what was given. */
export function locked(what: string): DiskError {
  return new DiskError("EPERM", `luks: ${what}`);
}
