// What a script means by the way it ends: nbdkit's exit codes, and errors as it writes them.

import type { ChildResult } from "../../common/child.ts";

/** What a script answered. */
export interface Answer {
  /** `false`: what was asked is not so. `missing`: it has no such method. */
  readonly kind: "true" | "false" | "missing";
  /** What it wrote. */
  readonly stdout: Buffer;
}

/** What a script can ask for beside answering. */
export interface Wishes {
  /** Ends the server. */
  shutdown(): void;
  /** Lets the client go; absent where the call is not about one. */
  disconnect?(options: { readonly immediately: boolean }): void;
}

/** The number of the last exit code that means something. */
export const MAX_KNOWN_STATUS = 8;

/**
 * Reads how a script ended.
 *
 * @param about - whose script and which method, for the error's text
 * @throws Error with a `code` when the script says that it failed. It is no DiskError: what scripts say is for those who run them, and may name
 *   files; clients get to know the code
 */
export function readAnswer({ code, signal, stdout, stderr }: ChildResult, about: string, wishes: Wishes): Answer {
  if (code === 0) return { kind: "true", stdout };
  if (code === 2) return { kind: "missing", stdout };
  if (code === 3) return { kind: "false", stdout };
  if (code === 4 || code === 5) wishes.shutdown();
  if (code === 6) wishes.disconnect?.({ immediately: true });
  if (code === 7 || code === 8) wishes.disconnect?.({ immediately: false });
  if (code === 4 || code === 7) return { kind: "true", stdout };
  const how = signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`;
  const { code: named, text } = readError(stderr);
  const errorCode = named ?? (code === 5 || code === 6 || code === 8 ? "ESHUTDOWN" : "EIO");
  throw scriptError(errorCode, `${about}: ${text === "" ? how : text}`);
}

/** Makes an error whose text is for those who run the script. */
export function scriptError(code: string, text: string): Error & { readonly code: string } {
  return Object.assign(new Error(text), { code });
}

/** The names that scripts may begin with. */
const names: ReadonlySet<string> = new Set([
  "EPERM",
  "EROFS",
  "EIO",
  "ENOMEM",
  "EINVAL",
  "ENOSPC",
  "EDQUOT",
  "EFBIG",
  "EOVERFLOW",
  "ESHUTDOWN",
  "ENOTSUP",
  "EOPNOTSUPP",
]);

/** Splits `ENOSPC the disk is full` in code and text: the first line counts. What begins with no such name is text. */
export function readError(stderr: string): { readonly code: string | undefined; readonly text: string } {
  const [line = ""] = stderr.split("\n", 1);
  const match = /^([A-Za-z]+)(?:\s+(.*))?$/.exec(line);
  const code = match?.[1]?.toUpperCase();
  if (code === undefined || !names.has(code)) return { code: undefined, text: line.trim() };
  return { code, text: (match?.[2] ?? "").trim() || code };
}
