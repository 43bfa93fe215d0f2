// The filters of the command line. To add one: a file in filters/ with its name, its keys as nbdkit calls them and how to make it, and a line here.

import type { FilterEntry } from "./catalogue.ts";
import { delayEntry } from "./filters/delay.ts";
import { errorEntry } from "./filters/error.ts";
import { offsetEntry } from "./filters/offset.ts";
import { partitionEntry } from "./filters/partition.ts";

/** Every filter that comes with this package. */
export const filters: readonly FilterEntry[] = [
  // one per line, in alphabetical order
  delayEntry,
  errorEntry,
  offsetEntry,
  partitionEntry,
];
