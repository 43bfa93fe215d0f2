// The file plugin: a file in the page cache, each server its own.

import { execFileSync } from "node:child_process";
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { fioRow } from "../rows.ts";
import type { Suite } from "../suite.ts";

export const fileSuite: Suite = {
  name: "file",
  what: ({ size, own }) => `A file of ${size} on ${fileSystem(own)}, full of data and in the page cache`,
  rows: [
    fioRow({ rw: "randread", block: "4k", depth: 1, unit: "IOPS", target: 1 }),
    fioRow({ rw: "randread", block: "4k", depth: 32, unit: "IOPS", target: 2 }),
    fioRow({ rw: "randwrite", block: "4k", depth: 32, unit: "IOPS", target: 1 }),
    fioRow({ rw: "read", block: "256k", depth: 8, unit: "MiB/s", target: 1 }),
    fioRow({ rw: "write", block: "256k", depth: 8, unit: "MiB/s", target: 1 }),
  ],
  serve: ({ own }) => ["file", join(own, "disk.img")],
  prepareOwn: ({ own, size }) => void execFileSync("truncate", ["--size", size, join(own, "disk.img")]),
  fill: true,
};

function fileSystem(folder: string): string {
  const names: Readonly<Record<number, string>> = { 61267: "ext4", 16914836: "tmpfs", 1481003842: "XFS", 2435016766: "Btrfs" };
  const { type } = statfsSync(folder);
  return names[type] ?? `a file system of type 0x${type.toString(16)}`;
}
