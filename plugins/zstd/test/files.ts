// zstd files as the real programs make them, and seekable ones, which are frames of theirs with a table after them.

import { execFileSync } from "node:child_process";

/** Compresses with zstd, which is told how by `options`. What comes from a pipe does not say how much it is, unless `--stream-size` does. */
export function zstdOf(content: Uint8Array, ...options: string[]): Buffer {
  return execFileSync("zstd", ["-q", "-c", ...options], { input: content, maxBuffer: 2 ** 30 });
}

/** What zstd itself makes of a file, or `undefined` where it refuses it. */
export function unzstdOf(file: Uint8Array): Buffer | undefined {
  try {
    return execFileSync("zstd", ["-d", "-q", "-c", "--no-pass-through"], { input: file, maxBuffer: 2 ** 30, stdio: "pipe" });
  } catch {
    return undefined;
  }
}

/** One frame that says how much it holds. */
export function frameOf(content: Uint8Array, ...options: string[]): Buffer {
  return zstdOf(content, `--stream-size=${content.length}`, ...options);
}

/** How a seekable file is made. */
export interface SeekableOptions {
  /** Bytes of content in each frame. */
  readonly frame: number;
  /** Whether the table has checksums. Default: true. */
  readonly checksums?: boolean;
  /** Whether the frames have some of their own. Default: false. */
  readonly own?: boolean;
}

/** A seekable file. The checksums of its table are those that zstd puts at the end of frames. */
export function seekableOf(content: Uint8Array, { frame, checksums = true, own = false }: SeekableOptions): Buffer {
  const frames: Buffer[] = [];
  const entries: Buffer[] = [];
  for (let at = 0; at < content.length; at += frame) {
    const part = content.subarray(at, at + frame);
    const checked = frameOf(part, "--check");
    const packed = own ? checked : frameOf(part, "--no-check");
    frames.push(packed);
    const entry = Buffer.alloc(checksums ? 12 : 8);
    entry.writeUInt32LE(packed.length, 0);
    entry.writeUInt32LE(part.length, 4);
    if (checksums) checked.copy(entry, 8, checked.length - 4);
    entries.push(entry);
  }
  return Buffer.concat([...frames, tableOf(entries, checksums)]);
}

/** A seek table. */
export function tableOf(entries: readonly Uint8Array[], checksums: boolean): Buffer {
  const footer = Buffer.alloc(9);
  footer.writeUInt32LE(entries.length, 0);
  footer[4] = checksums ? 0x80 : 0;
  footer.writeUInt32LE(0x8f92eab1, 5);
  const body = Buffer.concat([...entries, footer]);
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a5e, 0);
  header.writeUInt32LE(body.length, 4);
  return Buffer.concat([header, body]);
}
