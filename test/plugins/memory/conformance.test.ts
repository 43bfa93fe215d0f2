// The conformance suite on memory disks.

import { describe, test } from "vitest";
import { memory } from "../../../src/index.ts";
import { testPlugin } from "../../../src/testing/index.ts";

/** What it can do on every route: that it lends, and that trimmed parts are zero, cannot be said over a socket. */
const expected = { write: true, flush: true, trim: true, zero: true, fua: "native", fastZero: true, multiConn: true } as const;

describe("memory", () => {
  testPlugin({ test, factory: () => memory("1M"), persistent: true, expect: { ...expected, extents: true } });
});

describe("memory that ends within a page", () => {
  testPlugin({ test, factory: () => memory(1_000_001), persistent: true, routes: ["directly"], expect: expected });
});

describe("the largest memory disk", () => {
  testPlugin({ test, factory: () => memory(2n ** 63n - 1n), persistent: true, expect: expected });
});

describe("memory with malloc", () => {
  testPlugin({ test, factory: () => memory("1M", { allocator: "malloc" }), persistent: true, expect: expected });
});
