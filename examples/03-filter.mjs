// A filter in ten lines: what is written through it lies on the disk below with every bit turned over.

import { filter, memory, openDisk, pipe } from "diskwright";

const invert = filter("invert", (disk) => ({
  async read(target, offset) {
    await disk.read(target, offset);
    for (const [i, byte] of target.entries()) target[i] = ~byte;
  },
  write: (source, offset, flags) =>
    disk.write(
      source.map((byte) => ~byte),
      offset,
      flags,
    ),
  zero: undefined, // zeroes are written, through the above
  extents: undefined, // a hole does not read as zeroes here
}));

// The same memory, seen through the filter and without it.
const plain = memory("1M");
const through = await openDisk(pipe(plain, invert));
const below = await openDisk(plain);
await through.write(Buffer.from("secret"), 0n);
for (const disk of [through, below]) {
  const target = Buffer.alloc(6);
  await disk.read(target, 0n);
  console.log(target.toString("hex"));
  await disk.close();
}
