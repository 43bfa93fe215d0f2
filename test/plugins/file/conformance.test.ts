// The conformance suite on files, with the system calls of koffi.

import { closeSync, existsSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, onTestFinished, test } from "vitest";
import { type FileOptions, file, type Plugin } from "../../../src/index.ts";
import { testPlugin } from "../../../src/testing/index.ts";
import { pattern } from "../../contract/fixtures.ts";
import { tree } from "../../fixtures/tree.ts";

const MiB = 2 ** 20;
const expected = { write: true, flush: true, multiConn: true } as const;
const withKoffi = process.platform === "linux" ? { trim: true, zero: true, extents: true, fastZero: true } : {};

describe("a file that is all hole", () => {
  testPlugin({ test, factory: () => file(sparse(MiB)), persistent: true, expect: { ...expected, ...withKoffi } });
});

describe("a file of an odd size that is full of data", () => {
  const content = pattern(1_000_001);
  testPlugin({ test, factory: () => file(full(content)), content, persistent: true, expect: expected });
});

describe.skipIf(!existsSync("/dev/shm"))("a file in memory", () => {
  testPlugin({ test, factory: () => file(sparse(MiB, "/dev/shm")), persistent: true, expect: { ...expected, ...withKoffi } });
});

describe("a file of the largest size that its file system takes", () => {
  testPlugin({ test, factory: () => file(sparse(2 ** 43)), persistent: true, routes: ["directly"], expect: expected });
});

describe("a file that is not kept in the page cache", () => {
  const options: FileOptions = { cache: "none", fadvise: "random" };
  testPlugin({ test, factory: () => file(sparse(MiB), options), persistent: true, routes: ["directly"], expect: expected });
});

describe("a file that is written in the event loop", () => {
  testPlugin({
    test,
    factory: () => file(sparse(MiB, "/var/tmp"), { inlineWrites: true }),
    persistent: true,
    expect: { ...expected, ...withKoffi },
  });
});

describe("a file descriptor", () => {
  testPlugin({ test, factory: descriptor, persistent: true, routes: ["directly"], expect: expected });
});

describe("a file of a folder", () => {
  testPlugin({
    test,
    factory: () => file({ dir: join(sparse(MiB), "..") }),
    exportName: "disk",
    persistent: true,
    expect: expected,
  });
});

function sparse(size: number, place?: string): string {
  const path = join(tree({ disk: "" }, place), "disk");
  truncateSync(path, size);
  return path;
}

function full(content: Uint8Array): string {
  const path = join(tree(), "disk");
  writeFileSync(path, content);
  return path;
}

function descriptor(): Plugin {
  const fd = openSync(sparse(MiB), "r+");
  onTestFinished(() => closeSync(fd));
  return file({ fd });
}
