// The luks filter: a LUKS1 disk in a file in the page cache, each server its own.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fioRow } from "../rows.ts";
import type { Suite } from "../suite.ts";

const PASSPHRASE = "bench";

export const luksSuite: Suite = {
  name: "luks",
  what: ({ size }) => `A file of ${size} in the page cache, encrypted with LUKS1 (aes-xts-plain64, 512 bits), full of data`,
  rows: [
    fioRow({ rw: "randread", block: "4k", depth: 1, unit: "IOPS", target: 1 }),
    fioRow({ rw: "randread", block: "4k", depth: 32, unit: "IOPS", target: 1 }),
    fioRow({ rw: "randwrite", block: "4k", depth: 32, unit: "IOPS", target: 1 }),
    fioRow({ rw: "read", block: "256k", depth: 8, unit: "MiB/s", target: 1.2 }),
    fioRow({ rw: "write", block: "256k", depth: 8, unit: "MiB/s", target: 1.2 }),
  ],
  serve: ({ own }) => ["--filter=luks", "file", join(own, "disk.img"), `passphrase=${PASSPHRASE}`],
  prepareOwn({ own, size }) {
    const image = join(own, "disk.img");
    execFileSync("truncate", ["--size", size, image]);
    const quick = ["--batch-mode", "--pbkdf-force-iterations", "1000", "--key-file", "-"];
    execFileSync("cryptsetup", ["luksFormat", "--type", "luks1", ...quick, image], {
      input: PASSPHRASE,
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    });
  },
  fill: true,
};
