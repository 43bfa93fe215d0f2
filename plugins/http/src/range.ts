// Ranges: how they are asked for, and whether an answer is the right one (RFC 9110, section 14).

import type { Answer, Sink } from "./exchange.ts";
import { changed, Failure, single, statusFailure } from "./failure.ts";
import { assertSame, type Version } from "./version.ts";

/** A Content-Range header; `unsatisfied` where there is no range in it. */
export interface ContentRange {
  readonly first: number;
  readonly last: number;
  /** Bytes of the whole file; absent where the server does not know. */
  readonly size: number | undefined;
}

/** Reads a Content-Range header; `undefined` where it is none of bytes. */
export function parseContentRange(value: string | string[] | undefined): ContentRange | undefined {
  const match = /^bytes\s+(\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/i.exec(single(value)?.trim() ?? "");
  if (match === null) return undefined;
  return { first: Number(match[1]), last: Number(match[2]), size: match[3] === "*" ? undefined : Number(match[3]) };
}

/** The size that a refused range is answered with; `undefined` where that is not said. */
export function parseUnsatisfied(value: string | string[] | undefined): number | undefined {
  const match = /^bytes\s+\*\/(\d{1,16})$/i.exec(single(value)?.trim() ?? "");
  return match === null ? undefined : Number(match[1]);
}

/** The value of a Range header. */
export function rangeHeader(offset: number, length: number): string {
  return `bytes=${offset}-${offset + length - 1}`;
}

/** What a range of a file has to be like. */
export interface Wanted {
  readonly offset: number;
  readonly target: Uint8Array;
  /** The version that was opened. */
  readonly version: Version;
  /** Whether answers have to name it. */
  readonly validate: boolean;
  /** The URL, for errors. */
  readonly shown: string;
  progress(bytes: number): void;
}

/** Takes the body of the answer to a request for a range, if it is the right one. */
export function rangeSink(wanted: Wanted): Sink {
  const { target, progress } = wanted;
  return { target, progress, begin: (answer) => begin(answer, wanted) };
}

/**
 * Checks that the answer was a range at all.
 *
 * @throws Failure
 */
export function assertPartial({ status, headers }: Answer, shown: string): void {
  if (status === 206) return;
  if (status === 416) throw changed(shown, "the server answered 416: the range is not in it");
  throw statusFailure(status, headers, shown);
}

/** The texts of errors are read and thrown away, which keeps the connection; the whole file is not. */
function begin({ status, headers }: Answer, { offset, target, version, validate, shown }: Wanted): boolean {
  const wrong = (text: string): Failure => new Failure("final", "EIO", `${shown}: ${text}`);
  if (status === 200) {
    if (validate) assertSame(version, headers, shown);
    throw wrong("the server sent the whole file (200) instead of the range that was asked for (206)");
  }
  if (status !== 206) return false;
  if (validate) assertSame(version, headers, shown);
  const range = parseContentRange(headers["content-range"]);
  if (range === undefined) throw wrong(`the server answered 206 without a Content-Range of bytes: ${String(headers["content-range"])}`);
  const { first, last, size } = range;
  if (size !== undefined && size !== version.size) throw changed(shown, `it had ${version.size} bytes, and has ${size}`);
  const end = offset + target.length - 1;
  if (first !== offset || last !== end)
    throw wrong(`the server sent the bytes ${first} to ${last} where ${offset} to ${end} were asked for`);
  const length = single(headers["content-length"]);
  if (length !== undefined && Number(length) !== target.length)
    throw wrong(`the server sends ${length} bytes where ${target.length} were asked for`);
  return true;
}
