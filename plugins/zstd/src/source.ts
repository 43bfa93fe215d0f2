// Reading the compressed file: any range of any disk, also of one that has to be read in whole sectors.

import type { Disk } from "diskwright";

/** Reads a range into a buffer of its own. */
export async function readRange(disk: Disk, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const sector = disk.blockSize?.minimum ?? 1;
  const start = Math.floor(offset / sector) * sector;
  const end = Math.min(Math.ceil((offset + length) / sector) * sector, Number(disk.size));
  const bytes = new Uint8Array(end - start);
  const most = disk.blockSize?.maximum ?? bytes.length;
  const piece = Math.max(sector, Math.floor(Math.min(most, 1024 * 1024) / sector) * sector);
  for (let at = 0; at < bytes.length; at += piece) {
    const answer = disk.read(bytes.subarray(at, at + piece), BigInt(start + at));
    if (answer !== undefined) await answer;
  }
  return bytes.subarray(offset - start, offset - start + length);
}
