// The sparse-random disk: copied onto itself, which reads all of its data and has it checked when it is written.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { commandRow, fioRow, type Row } from "../rows.ts";
import type { Suite } from "../suite.ts";

const SIZE = "64G";

/** A copy onto itself, as MiB of data per second: how much that is differs from server to server. */
function copyRow(name: string, command: string): Row {
  return {
    name,
    unit: "MiB/s",
    target: 1,
    async run(server, seconds) {
      const { stdout } = await promisify(execFile)("nbdinfo", ["--map", "--totals", server.uri]);
      const data = Number(/^\s*(\d+)\s.*\s0\s+data$/m.exec(stdout)?.[1]);
      return commandRow({ name, command, bytes: data, target: 1 }).run(server, seconds);
    },
  };
}

export const sparseRandomSuite: Suite = {
  name: "sparse-random",
  what: () => `A sparse random disk of ${SIZE}, a tenth of it data`,
  rows: [
    copyRow("nbdcopy onto itself", 'nbdcopy "$uri" "$uri"'),
    copyRow("nbdcopy to nowhere", 'nbdcopy "$uri" null:'),
    fioRow({ rw: "read", block: "256k", depth: 8, unit: "MiB/s", target: 1 }),
    fioRow({ rw: "randread", block: "4k", depth: 32, unit: "IOPS", target: 1 }),
  ],
  serve: () => ["sparse-random", SIZE, "seed=1"],
};
