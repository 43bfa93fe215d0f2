// A disk image for suites that compress: programs, libraries and texts of this machine, so that it compresses as images do.

import { execFileSync } from "node:child_process";

/** Writes an image of so many MiB. */
export function writeImage(path: string, mebibytes: number): void {
  const script = 'tar -cf - /usr/bin /usr/lib /usr/share 2>/dev/null | head -c "$2" > "$1" || true';
  execFileSync("sh", ["-c", script, "sh", path, String(mebibytes * 2 ** 20)]);
  execFileSync("truncate", ["--size", `${mebibytes}M`, path]);
}
