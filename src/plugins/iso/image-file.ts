// The file that an image is made in: in the temporary folder, for this user alone, without a name where the system allows that.

import { closeSync, rmSync } from "node:fs";
import { openUnnamed } from "../../common/temporary-file.ts";

/** A file that is open. */
export interface ImageFile {
  readonly fd: number;
  /** Closes it, which removes it. */
  readonly close: () => void;
}

/** Makes an empty file. */
export function openImageFile(): ImageFile {
  const { fd, path } = openUnnamed("iso: cannot make a temporary file");
  return {
    fd,
    close() {
      closeSync(fd);
      if (path !== undefined) rmSync(path, { force: true });
    },
  };
}
