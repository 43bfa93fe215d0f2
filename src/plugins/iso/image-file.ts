// The file that an image is made in: in the temporary folder, for this user alone, without a name where the system allows that.

import { randomUUID } from "node:crypto";
import { closeSync, openSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../common/temporary-file.ts";
import { errorText } from "../../contract/error.ts";

/** A file that is open. */
export interface ImageFile {
  readonly fd: number;
  /** Closes it, which removes it. */
  readonly close: () => void;
}

/** Makes an empty file. */
export function openImageFile(): ImageFile {
  const folder = temporaryFolder();
  const path = join(folder, `diskwright-${randomUUID()}`);
  let fd: number;
  try {
    fd = openSync(path, "wx+", 0o600);
  } catch (error) {
    throw new Error(`iso: cannot make a temporary file in ${folder} (TMPDIR names another folder): ${errorText(error)}`, { cause: error });
  }
  let named = false;
  try {
    unlinkSync(path);
  } catch {
    named = true;
  }
  return {
    fd,
    close() {
      closeSync(fd);
      if (named) rmSync(path, { force: true });
    },
  };
}
