// The filters of the command line. To add one: a file in filters/ with its name, its keys as nbdkit calls them and how to make it, and a line here.

import type { FilterEntry } from "./catalogue.ts";
import { cacheEntry } from "./filters/cache.ts";
import { cowEntry } from "./filters/cow.ts";
import { delayEntry } from "./filters/delay.ts";
import { errorEntry } from "./filters/error.ts";
import { exportnameEntry } from "./filters/exportname.ts";
import { extentlistEntry } from "./filters/extentlist.ts";
import { fuaEntry } from "./filters/fua.ts";
import { logEntry } from "./filters/log.ts";
import { nocacheEntry } from "./filters/nocache.ts";
import { noextentsEntry } from "./filters/noextents.ts";
import { offsetEntry } from "./filters/offset.ts";
import { partitionEntry } from "./filters/partition.ts";
import { pauseEntry } from "./filters/pause.ts";
import { rateEntry } from "./filters/rate.ts";
import { readonlyEntry } from "./filters/readonly.ts";
import { retryEntry } from "./filters/retry.ts";
import { statsEntry } from "./filters/stats.ts";
import { swabEntry } from "./filters/swab.ts";
import { truncateEntry } from "./filters/truncate.ts";

/** Every filter that comes with this package. */
export const filters: readonly FilterEntry[] = [
  // one per line, in alphabetical order
  cacheEntry,
  cowEntry,
  delayEntry,
  errorEntry,
  exportnameEntry,
  extentlistEntry,
  fuaEntry,
  logEntry,
  nocacheEntry,
  noextentsEntry,
  offsetEntry,
  partitionEntry,
  pauseEntry,
  rateEntry,
  readonlyEntry,
  retryEntry,
  statsEntry,
  swabEntry,
  truncateEntry,
];
