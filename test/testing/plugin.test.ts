// The suite for plugins, run on disks that keep the contract, each in its own way.

import { describe, test } from "vitest";
import type { Connection } from "../../src/contract/index.ts";
import { classRam, ram, testPlugin } from "../../src/testing/index.ts";
import { bytes, over, plugin } from "./disks.ts";

describe("a disk that can do everything", () => {
  const content = bytes(900_000);
  testPlugin({
    test,
    factory: () => ram(content),
    content,
    crash: (disk) => (disk as ReturnType<typeof ram>).afterPowerCut(),
    persistent: true,
    expect: { write: true, flush: true, trim: true, zero: true, extents: true, fua: "native", multiConn: true, cache: "native" },
  });
});
