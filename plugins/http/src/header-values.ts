// Headers as an app gives them, and their checks.

import { DiskError } from "diskwright";

/** Headers by name; a list is a header that is sent several times. */
export type HeaderValues = Readonly<Record<string, string | readonly string[]>>;

/** Headers that belong to the request itself: to change them would change what is read. */
const own = new Set(
  ["range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "accept-encoding"].concat([
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "upgrade",
    "expect",
    "te",
    "proxy-authorization",
  ]),
);

/**
 * Headers as a flat list of name, value, name, value.
 *
 * @param what - where they come from, for the error's text; values are not shown, they may be secrets
 * @throws DiskError EINVAL when one of them cannot be a header, or is not the app's to set
 */
export function assertPairs(values: HeaderValues, what: string): string[] {
  if (typeof values !== "object" || values === null) throw new DiskError("EINVAL", `${what}: expected an object of names and values`);
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(values)) {
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name))
      throw new DiskError("EINVAL", `${what}: ${JSON.stringify(name)} is not the name of a header`);
    if (own.has(name.toLowerCase())) throw new DiskError("EINVAL", `${what}: ${name} is set by the plugin itself`);
    for (const one of Array.isArray(value) ? (value as readonly unknown[]) : [value]) {
      if (typeof one !== "string" || !/^[\t\x20-\x7e\x80-\xff]*$/.test(one))
        throw new DiskError("EINVAL", `${what}: the value of ${name} is not text on one line`);
      pairs.push(name, one);
    }
  }
  return pairs;
}
