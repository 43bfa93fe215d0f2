// Copying between a file and a disk, several requests at a time.

import { open } from "node:fs/promises";

const PIECE = 1024 * 1024;
const AT_ONCE = 8;

/** Writes a file onto a disk, leaving out what is zero: the disk is new. @param {string} path @param {import("diskwright").Disk} disk */
export async function fileToDisk(path, disk) {
  const file = await open(path);
  try {
    const zeroes = Buffer.alloc(PIECE);
    await inPieces(disk.size, async (buffer, offset) => {
      await file.read(buffer, 0, buffer.length, Number(offset));
      if (!buffer.equals(zeroes.subarray(0, buffer.length))) await disk.write(buffer, offset);
    });
    await disk.flush();
  } finally {
    await file.close();
  }
}

/** Reads a whole disk into a new file. @param {import("diskwright").Disk} disk @param {string} path */
export async function diskToFile(disk, path) {
  const file = await open(path, "wx");
  try {
    await inPieces(disk.size, async (buffer, offset) => {
      await disk.read(buffer, offset);
      await file.write(buffer, 0, buffer.length, Number(offset));
    });
  } finally {
    await file.close();
  }
}

/** Calls `step` for each piece of `size` bytes, with a few of them under way at a time. */
async function inPieces(size, step) {
  let next = 0n;
  const worker = async () => {
    const buffer = Buffer.alloc(PIECE);
    for (let offset = next; offset < size; offset = next) {
      const length = size - offset < PIECE ? Number(size - offset) : PIECE;
      next = offset + BigInt(length);
      await step(buffer.subarray(0, length), offset);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
