// The tmpdisk plugin: how soon a client has a disk of its own, made for it or made ahead.

import { join } from "node:path";
import { clientsRow } from "../rows.ts";
import type { Suite } from "../suite.ts";

const disk: readonly string[] = ["tmpdisk", "64M", "label=scratch"];

export const tmpdiskSuite: Suite = {
  name: "tmpdisk",
  what: () => "A fresh ext4 file system of 64M for each client",
  rows: [clientsRow({ atOnce: 1, target: 1 }), clientsRow({ atOnce: 8, target: 1 })],
  serve: () => disk,
};

/** nbdkit has no disks ready: it is measured as it is. */
export const tmpdiskReadySuite: Suite = {
  ...tmpdiskSuite,
  name: "tmpdisk-ready",
  what: () => "A fresh ext4 file system of 64M for each client, of which we keep 100 ready",
  rows: [clientsRow({ atOnce: 1, target: 1 })],
  serveOurs: (_, socket) => {
    const command = [join(process.cwd(), "dist/cli.js"), "serve", "--exit-with-parent", "--unix", socket];
    return [process.execPath, ...command, ...disk, "tmpdisk-ready=100"];
  },
};
