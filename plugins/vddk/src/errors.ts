// From errors of the library to ours.

import { DiskError } from "diskwright";
import type { Failure } from "./jobs.ts";

/** VIX_E_… and what they are called here. All others are EIO. */
const codes: Readonly<Record<number, string>> = {
  2: "ENOMEM",
  3: "EINVAL",
  4: "ENOENT",
  5: "EBUSY",
  6: "ENOTSUP",
  8: "ENOSPC",
  9: "EINVAL",
  11: "EROFS",
  12: "EEXIST",
  13: "EACCES",
  15: "EBUSY",
  20: "ENOTSUP",
  21: "EFBIG",
  22: "EINVAL",
  23: "EEXIST",
  25: "ENOENT",
  35: "EACCES",
  3014: "EACCES",
  4000: "ENOENT",
  13003: "ENOENT",
  14008: "EHOSTUNREACH",
  14009: "ECONNREFUSED",
  16000: "EINVAL",
  16007: "EINVAL",
  16013: "ENOTSUP",
};

/** An error for a job that failed. */
export function failed({ call, number, text }: Failure): Error {
  if (call === undefined || number === undefined) return new DiskError("EIO", `the VDDK library cannot be used: ${text}`);
  const what = number & 0xffff;
  return new LibraryError(codes[what] ?? "EIO", `${call}: ${text} (VIX error ${what})`);
}

/** What the library itself refused. */
export class LibraryError extends DiskError {}
