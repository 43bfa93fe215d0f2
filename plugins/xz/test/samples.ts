// What the real xz makes of something, and of a file.

import { execFileSync } from "node:child_process";

/** Compresses with xz, which is told how by `options`. */
export function xzOf(content: Uint8Array, ...options: string[]): Buffer {
  return execFileSync("xz", ["--compress", "--stdout", "--threads=1", ...options], { input: content, maxBuffer: 2 ** 30 });
}

/** What xz itself makes of a file, or `undefined` where it refuses it. */
export function unxzOf(file: Uint8Array): Buffer | undefined {
  try {
    return execFileSync("xz", ["--decompress", "--stdout", "--single-stream", "--format=xz"], {
      input: file,
      maxBuffer: 2 ** 30,
      stdio: "pipe",
    });
  } catch {
    return undefined;
  }
}
