// The rules of the contract, for each kind of disk.

import { s3 } from "@diskwright/s3";
import type { Plugin } from "diskwright";
import { testPlugin } from "diskwright/testing";
import { describe, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { at } from "./fixtures/disks.ts";
import { type MemoryS3, memoryS3 } from "./fixtures/memory-s3.ts";

describe("one object", () => {
  const content = sample(700_001);
  testPlugin({
    test,
    content,
    routes: ["directly"],
    factory: async () => {
      const { endpoint, put } = await memoryS3();
      put("disk", content);
      return s3(at(endpoint, { partSize: "64k", readAhead: "256k" }));
    },
    expect: { write: false, multiConn: true, cache: "native", extents: false },
  });
});

describe.each([
  ["little room", { objectSize: "32k", maxDirty: "96k" }, ["directly", "over a socket"]],
  ["large objects, of which the last is not whole", { size: 150_003, objectSize: "128k" }, ["directly"]],
  ["writes that are stored at once, without a lease", { objectSize: "16k", maxDirty: 0, lease: false }, ["directly"]],
] as const)("many objects: %s", (_, options, routes) => {
  const settings = { size: "128k", ...options } as const;
  const stores = new WeakMap<Plugin, MemoryS3>();
  testPlugin({
    test,
    ...(routes !== undefined && { routes }),
    async factory() {
      const store = await memoryS3();
      const plugin = s3(at(store.endpoint, settings));
      stores.set(plugin, store);
      return plugin;
    },
    // What is in the bucket at this moment, as another machine would find it.
    async crash(plugin) {
      const copy = await memoryS3();
      for (const [key, { content }] of (stores.get(plugin) as MemoryS3).objects) copy.put(key, content);
      return s3(at(copy.endpoint, { ...settings, lease: false }));
    },
    persistent: true,
    expect: { write: true, flush: true, trim: true, zero: true, fastZero: true, fua: "native", multiConn: true, extents: true },
  });
});
