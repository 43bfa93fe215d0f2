// The memory plugin: what the server itself costs.

import { join } from "node:path";
import { fioRow } from "../rows.ts";
import type { Suite } from "../suite.ts";

export const memorySuite: Suite = {
  name: "memory",
  what: ({ size }) => `A memory disk of ${size}, full of data`,
  rows: [
    fioRow({ rw: "randread", block: "4k", depth: 1, unit: "IOPS", target: 1 }),
    fioRow({ rw: "randread", block: "4k", depth: 32, unit: "IOPS", target: 1.3 }),
    fioRow({ rw: "randwrite", block: "4k", depth: 32, unit: "IOPS", target: 1 }),
    fioRow({ rw: "read", block: "64k", depth: 16, unit: "MiB/s", target: 1.3 }),
    fioRow({ rw: "read", block: "256k", depth: 8, unit: "MiB/s", target: 1.3 }),
    fioRow({ rw: "write", block: "256k", depth: 8, unit: "MiB/s", target: 1 }),
    fioRow({ rw: "read", block: "1M", depth: 4, unit: "MiB/s", target: 1.3 }),
    fioRow({ rw: "write", block: "1M", depth: 4, unit: "MiB/s", target: 1 }),
  ],
  serve: ({ size }) => ["memory", size],
  // Room for a thousand idle clients.
  serveOurs: ({ size }, socket) => [process.execPath, join(process.cwd(), "bench/serve.mjs"), socket, size],
  fill: true,
  extras: true,
};
