// Which version of the file an answer is of: told by its ETag, or by the time of its last change (RFC 9110, section 8.8).

import { changed, type Headers, single } from "./failure.ts";

/** What is known of a file. */
export interface Version {
  /** Bytes. */
  readonly size: number;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

/** The version that the headers of an answer name. */
export function versionOf(headers: Headers, size: number): Version {
  return { size, etag: single(headers.etag), lastModified: single(headers["last-modified"]) };
}

/** The headers that have a server refuse to answer with another version, as far as there are any. */
export function conditions({ etag, lastModified }: Version): readonly string[] {
  // A weak ETag never matches in If-Match.
  if (etag?.startsWith('"')) return ["if-match", etag];
  if (etag === undefined && lastModified !== undefined) return ["if-unmodified-since", lastModified];
  return [];
}

/**
 * Checks that an answer is of the version that was opened: a server may not know conditions.
 *
 * @throws Failure `changed`
 */
export function assertSame(version: Version, headers: Headers, shown: string): void {
  const found = versionOf(headers, version.size);
  if (version.etag !== undefined) {
    if (found.etag === undefined) throw changed(shown, `its ETag was ${version.etag}, and is not there now`);
    if (strong(found.etag) !== strong(version.etag)) throw changed(shown, `its ETag was ${version.etag}, and is ${found.etag}`);
  } else if (version.lastModified !== undefined && found.lastModified !== version.lastModified) {
    throw changed(shown, `it was last modified ${version.lastModified}, and now ${found.lastModified ?? "says nothing of that"}`);
  }
}

/** ETags are compared without their mark of weakness. */
function strong(etag: string): string {
  return etag.replace(/^W\//, "");
}
