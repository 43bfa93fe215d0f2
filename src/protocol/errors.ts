// Between error codes as Node spells them and error numbers on the wire (protocol document, "Error values").

import { ErrorNumber } from "./constants.ts";

const numbers: ReadonlyMap<string, number> = new Map([
  ...Object.entries(ErrorNumber),
  ["EROFS", ErrorNumber.EPERM],
  ["EACCES", ErrorNumber.EPERM],
  ["EDQUOT", ErrorNumber.ENOSPC],
  ["EFBIG", ErrorNumber.ENOSPC],
  ["EOPNOTSUPP", ErrorNumber.ENOTSUP],
]);

const codes: ReadonlyMap<number, string> = new Map(Object.entries(ErrorNumber).map(([code, number]) => [number, code]));

/** The number that stands for an error code; what the wire has no number for is EIO. */
export function errorNumber(code: string): number {
  return numbers.get(code) ?? ErrorNumber.EIO;
}

/** The code that an error number stands for. A number that the document does not know is to be taken as EINVAL. */
export function codeOf(number: number): string {
  return codes.get(number) ?? "EINVAL";
}

/** What to tell a client when the error has no text that is safe to show. */
export function defaultText(number: number): string {
  return texts[number] ?? "input/output error";
}

const texts: Readonly<Record<number, string>> = {
  [ErrorNumber.EPERM]: "operation not permitted",
  [ErrorNumber.EIO]: "input/output error",
  [ErrorNumber.ENOMEM]: "out of memory",
  [ErrorNumber.EINVAL]: "invalid request",
  [ErrorNumber.ENOSPC]: "no space left on the disk",
  [ErrorNumber.EOVERFLOW]: "request too long",
  [ErrorNumber.ENOTSUP]: "operation not supported",
  [ErrorNumber.ESHUTDOWN]: "the server is shutting down",
};
