// A plugin in ten lines: a disk of 1 TiB on which every sector says its own number.

import { connect, serve } from "diskwright";

const sectors = {
  name: "sectors",
  open: () => ({
    size: 2n ** 40n,
    blockSize: { minimum: 512, preferred: 4096, maximum: 2 ** 25 },
    read(target, offset) {
      for (let i = 0; i < target.length; i += 512) Buffer.from(`sector ${(offset + BigInt(i)) / 512n}\n`.padStart(512)).copy(target, i);
    },
  }),
};

// What a client sees of it.
const server = await serve(sectors);
const disk = await connect(server.uri);
const sector = Buffer.alloc(512);
await disk.read(sector, 1_000_000n * 512n);
console.log(sector.toString().trim());
await disk.close();
await server.close();
