// The compressing memory disk: an image written and read, and small requests on top of it.

import { join } from "node:path";
import { commandRow, fioRow } from "../rows.ts";
import type { Suite } from "../suite.ts";
import { writeImage } from "./image.ts";

const MEBIBYTES = 256;

export const zstdSuite: Suite = {
  name: "zstd",
  what: () => `A memory disk of ${MEBIBYTES} MiB, allocator=zstd, full of an image`,
  rows: [
    commandRow({
      name: "write and read",
      command: 'nbdcopy "$BENCH_SHARED/disk" "$uri" && nbdcopy "$uri" null:',
      bytes: 2 * MEBIBYTES * 2 ** 20,
      target: 1.2,
    }),
    fioRow({ rw: "read", block: "256k", depth: 8, unit: "MiB/s", target: 1.2 }),
    fioRow({ rw: "randread", block: "4k", depth: 32, unit: "IOPS", target: 1 }),
    fioRow({ rw: "randwrite", block: "4k", depth: 32, unit: "IOPS", target: 1 }),
  ],
  serve: () => ["memory", `${MEBIBYTES}M`, "allocator=zstd"],
  prepare({ shared }) {
    writeImage(join(shared, "disk"), MEBIBYTES);
    // For the command, which is written before there is a folder.
    process.env.BENCH_SHARED = shared;
  },
};
