// The suites that there are.

import type { Suite } from "./suite.ts";
import { fileSuite } from "./suites/file.ts";
import { httpSuite, httpXzSuite } from "./suites/http.ts";
import { luksSuite } from "./suites/luks.ts";
import { memorySuite } from "./suites/memory.ts";
import { sparseRandomSuite } from "./suites/sparse-random.ts";
import { tmpdiskReadySuite, tmpdiskSuite } from "./suites/tmpdisk.ts";
import { xzSuite } from "./suites/xz.ts";
import { zstdSuite } from "./suites/zstd.ts";

export const suites: readonly Suite[] = [
  // one per line; the first is what `npm run bench` measures unless told otherwise
  memorySuite,
  fileSuite,
  luksSuite,
  sparseRandomSuite,
  tmpdiskSuite,
  tmpdiskReadySuite,
  xzSuite,
  zstdSuite,
  httpSuite,
  httpXzSuite,
];
