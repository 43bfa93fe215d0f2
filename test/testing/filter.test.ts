// The suite for filters, run on filters that keep the contract, each in its own way.

import { describe, test } from "vitest";
import { type Filter, filter } from "../../src/contract/index.ts";
import { testFilter } from "../../src/testing/index.ts";
import { overlay, part, writeback, xor } from "./filters.ts";

const routes = ["directly"] as const;

describe("a filter that changes nothing", () => {
  testFilter({ test, filter: () => filter("pass", () => ({})), transparent: true });
});

describe("a filter that shows a part of the disk", () => {
  testFilter({ test, filter: () => part(1000n, 100_001n), model: (below) => below.subarray(1000, 101_001) });
});

describe("a filter that changes every byte", () => {
  testFilter({ test, filter: () => xor(0x5a), model: (below) => below.map((byte) => byte ^ 0x5a), routes });
});

describe("a filter that takes a capability away", () => {
  testFilter({ test, filter: () => filter("notrim", () => ({ trim: undefined })), transparent: true, takesAway: ["trim"], routes });
  testFilter({
    test,
    name: "readonly",
    filter: () => filter("readonly", () => ({ write: undefined })),
    transparent: true,
    takesAway: ["write", "trim", "zero", "fua", "fastZero"],
    expect: { write: false },
    routes,
  });
});

describe("a filter that works on one request at a time", () => {
  testFilter({
    test,
    filter: () => filter("queued", ({ read, write }) => ({ read, write }), { concurrency: "plugin" }),
    transparent: true,
    routes,
  });
});

describe("a filter that keeps what is written", () => {
  testFilter({
    test,
    filter: overlay,
    transparent: true,
    holdsWrites: true,
    takesAway: ["trim", "zero", "fastZero", "multiConn", "extents"],
    routes,
  });
});

describe("a filter that writes late", () => {
  testFilter({ test, filter: writeback, transparent: true, takesAway: ["trim", "zero", "fastZero", "multiConn", "extents"], routes });
});

describe("a filter that is told nothing about", () => {
  testFilter({
    test,
    filter: (): Filter => (next) => ({
      name: "hand",
      start: (context) => next.start?.(context),
      open: (request) => next.open(request),
      close: () => next.close?.(),
    }),
    routes,
  });
});
