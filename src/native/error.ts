// From errno to an error as Node's own file functions throw them.

import { getSystemErrorMap } from "node:util";

/** Makes the error of a system call that failed: `code` is the name that Node uses, `EOPNOTSUPP` being `ENOTSUP`. */
export function systemError(errno: number, syscall: string): NodeJS.ErrnoException {
  const [code, text] = getSystemErrorMap().get(-errno) ?? ["EIO", `error ${errno}`];
  return Object.assign(new Error(`${code}: ${text}, ${syscall}`), { code, errno: -errno, syscall });
}
