// The plugins of the command line. To add one: a file in plugins/ with its name, its keys as nbdkit calls them and how to make it, and a line here.

import type { PluginEntry } from "./catalogue.ts";
import { dataEntry } from "./plugins/data.ts";
import { evalEntry } from "./plugins/eval.ts";
import { fileEntry } from "./plugins/file.ts";
import { floppyEntry } from "./plugins/floppy.ts";
import { fullEntry } from "./plugins/full.ts";
import { infoEntry } from "./plugins/info.ts";
import { isoEntry } from "./plugins/iso.ts";
import { memoryEntry } from "./plugins/memory.ts";
import { nbdEntry } from "./plugins/nbd.ts";
import { nullEntry } from "./plugins/null.ts";
import { onesEntry } from "./plugins/ones.ts";
import { partitioningEntry } from "./plugins/partitioning.ts";
import { patternEntry } from "./plugins/pattern.ts";
import { randomEntry } from "./plugins/random.ts";
import { shEntry } from "./plugins/sh.ts";
import { sparseRandomEntry } from "./plugins/sparse-random.ts";
import { splitEntry } from "./plugins/split.ts";
import { zeroEntry } from "./plugins/zero.ts";

/** Every plugin that comes with this package. */
export const plugins: readonly PluginEntry[] = [
  // one per line, in alphabetical order
  dataEntry,
  evalEntry,
  fileEntry,
  floppyEntry,
  fullEntry,
  infoEntry,
  isoEntry,
  memoryEntry,
  nbdEntry,
  nullEntry,
  onesEntry,
  partitioningEntry,
  patternEntry,
  randomEntry,
  shEntry,
  sparseRandomEntry,
  splitEntry,
  zeroEntry,
];
