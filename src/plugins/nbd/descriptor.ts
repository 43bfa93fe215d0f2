// A socket that this process was given, by the number of its file descriptor.

import { Socket } from "node:net";
import { DiskError, errorText } from "../../contract/error.ts";

/** @throws DiskError EINVAL when there is no such descriptor, or it is no socket */
export function socketOf(fd: number): Socket {
  try {
    return new Socket({ fd, readable: true, writable: true });
  } catch (error) {
    throw new DiskError("EINVAL", `file descriptor ${fd} is no socket that is open: ${errorText(error)}`, { cause: error });
  }
}
