// What the tests compress, and xz files made of it by the real programs.

import { execFileSync } from "node:child_process";

/** Numbers that a seed repeats. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
}

/** Bytes of all sorts: text that repeats itself, noise, zeroes, and what came before with a few changes. */
export function sample(length: number, seed = 1): Buffer {
  const next = random(seed);
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const run = Math.min(length - at, 1 + (next() % 9000));
    const kind = next() % 4;
    if (kind === 0) bytes.fill(`line ${next() % 50} of the sample\n`, at, at + run);
    else if (kind === 1) for (let i = 0; i < run; i += 1) bytes[at + i] = next();
    else if (kind === 2 && at > run) {
      bytes.copy(bytes, at, next() % (at - run), at);
      for (let i = 0; i < run; i += 97) bytes[at + i] = next();
    }
    at += run;
  }
  return bytes;
}

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
