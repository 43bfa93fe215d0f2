// The xz filter: an image in blocks of 4 MiB, three times as large as what is kept of it.

import { execFileSync } from "node:child_process";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { commandRow, fioRow } from "../rows.ts";
import type { Suite } from "../suite.ts";
import { writeImage } from "./image.ts";

const MEBIBYTES = 96;

export const xzSuite: Suite = {
  name: "xz",
  what: () => `An image of ${MEBIBYTES} MiB, compressed by xz -2 --block-size=4MiB`,
  rows: [
    commandRow({ name: "nbdcopy to nowhere", command: 'nbdcopy "$uri" null:', bytes: MEBIBYTES * 2 ** 20, target: 1.2 }),
    fioRow({ rw: "read", block: "256k", depth: 8, unit: "MiB/s", target: 1.2 }),
    fioRow({ rw: "randread", block: "4k", depth: 8, unit: "IOPS", target: 1.2 }),
    fioRow({ rw: "randread", block: "4k", depth: 1, unit: "IOPS", target: 1 }),
  ],
  serve: ({ shared }) => ["--filter=xz", "file", join(shared, "disk.xz")],
  prepare({ shared }) {
    const image = join(shared, "disk");
    writeImage(image, MEBIBYTES);
    execFileSync("xz", ["-2", "-T0", "--block-size=4MiB", image]);
    renameSync(`${image}.xz`, join(shared, "disk.xz"));
  },
};
