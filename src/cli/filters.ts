// The filters of the command line. To add one: a file in filters/ with its name, its keys as nbdkit calls them and how to make it, and a line here.

import type { FilterEntry } from "./catalogue.ts";
import { blocksizeEntry } from "./filters/blocksize.ts";
import { cacheEntry } from "./filters/cache.ts";
import { checkwriteEntry } from "./filters/checkwrite.ts";
import { cowEntry } from "./filters/cow.ts";
import { delayEntry } from "./filters/delay.ts";
import { errorEntry } from "./filters/error.ts";
import { exitlastEntry } from "./filters/exitlast.ts";
import { exitwhenEntry } from "./filters/exitwhen.ts";
import { exportnameEntry } from "./filters/exportname.ts";
import { extentlistEntry } from "./filters/extentlist.ts";
import { fuaEntry } from "./filters/fua.ts";
import { gzipEntry } from "./filters/gzip.ts";
import { ipEntry } from "./filters/ip.ts";
import { limitEntry } from "./filters/limit.ts";
import { logEntry } from "./filters/log.ts";
import { luksEntry } from "./filters/luks.ts";
import { nocacheEntry } from "./filters/nocache.ts";
import { noextentsEntry } from "./filters/noextents.ts";
import { nozeroEntry } from "./filters/nozero.ts";
import { offsetEntry } from "./filters/offset.ts";
import { partitionEntry } from "./filters/partition.ts";
import { pauseEntry } from "./filters/pause.ts";
import { protectEntry } from "./filters/protect.ts";
import { rateEntry } from "./filters/rate.ts";
import { readaheadEntry } from "./filters/readahead.ts";
import { readonlyEntry } from "./filters/readonly.ts";
import { retryEntry } from "./filters/retry.ts";
import { statsEntry } from "./filters/stats.ts";
import { swabEntry } from "./filters/swab.ts";
import { tarEntry } from "./filters/tar.ts";
import { truncateEntry } from "./filters/truncate.ts";

/** Every filter that comes with this package. */
export const filters: readonly FilterEntry[] = [
  // one per line, in alphabetical order
  blocksizeEntry,
  cacheEntry,
  checkwriteEntry,
  cowEntry,
  delayEntry,
  errorEntry,
  exitlastEntry,
  exitwhenEntry,
  exportnameEntry,
  extentlistEntry,
  fuaEntry,
  gzipEntry,
  ipEntry,
  limitEntry,
  logEntry,
  luksEntry,
  nocacheEntry,
  noextentsEntry,
  nozeroEntry,
  offsetEntry,
  partitionEntry,
  pauseEntry,
  protectEntry,
  rateEntry,
  readaheadEntry,
  readonlyEntry,
  retryEntry,
  statsEntry,
  swabEntry,
  tarEntry,
  truncateEntry,
];
