// A disk without a server: 8 EiB of memory, of which only what is written is used.

import { memory, openDisk } from "diskwright";

const disk = await openDisk(memory(2n ** 63n - 1n));
await disk.write(Buffer.from("hello"), 2n ** 62n);

const target = Buffer.alloc(5);
await disk.read(target, 2n ** 62n);
console.log(`${target} at ${2n ** 62n} of ${disk.size} bytes`);

for (const { offset, length, hole } of await disk.extents(2n ** 62n - 65536n, 131072n)) {
  console.log(`${hole ? "hole" : "data"}: ${length} bytes at ${offset}`);
}
await disk.close();
