// GUIDs as they stand in a GPT: the first three fields little-endian. UEFI specification 2.10, appendix A.

import { createHash } from "node:crypto";
import { DiskError } from "../../contract/error.ts";

const FORM = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i;

/**
 * Reads a GUID, also one in braces.
 *
 * @param what - what it is, for the error's text
 * @returns the 16 bytes that stand on the disk
 * @throws DiskError EINVAL when it is none
 */
export function readGuid(text: string, what: string): Uint8Array {
  const match = typeof text === "string" ? FORM.exec(text.replace(/^\{(.*)\}$/, "$1")) : null;
  if (match === null)
    throw new DiskError("EINVAL", `${what} ${JSON.stringify(text)}: expected a GUID like 0FC63DAF-8483-4772-8E79-3D69D8477DE4`);
  const [, a, b, c, d, e] = match as unknown as [string, string, string, string, string, string];
  const little = (hex: string): Buffer => Buffer.from(hex, "hex").reverse();
  return Buffer.concat([little(a), little(b), little(c), Buffer.from(d + e, "hex")]);
}

/** The same GUID each time for the same text: version 8 of RFC 9562, from its SHA-256. */
export function stableGuid(text: string): Uint8Array {
  const bytes = createHash("sha256").update(`diskwright ${text}`).digest().subarray(0, 16);
  // The version stands in the high byte of the third field, which is the second one on the disk.
  bytes[7] = ((bytes[7] as number) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes;
}
