// The end of a client.

import assert from "node:assert/strict";
import type { Area } from "../area.ts";
import type { Bench, Check } from "../check.ts";
import { alone } from "./opening.ts";
import { refused } from "./refused.ts";

export const closing: readonly Check[] = [
  {
    name: "close may be called twice, and everything after it fails with ESHUTDOWN",
    async run({ disk }) {
      await disk.close();
      await disk.close();
      const calls = {
        read: () => disk.read(new Uint8Array(1), 0n),
        flush: () => disk.flush(),
        extents: () => disk.extents(0n, 1n),
        cache: () => disk.cache(0n, 1n),
        ...(disk.capabilities.write && { write: () => disk.write(new Uint8Array(1), 0n), zero: () => disk.zero(0n, 1n) }),
      };
      for (const [name, call] of Object.entries(calls)) await refused("ESHUTDOWN", `${name} after close`, call);
    },
  },
  {
    name: "close while requests are under way: they are all answered, and the disk is closed",
    async run({ disk, areas }) {
      const requests = begin(disk, areas);
      await disk.close();
      await answered(requests);
      await refused("ESHUTDOWN", "read after close", () => disk.read(new Uint8Array(1), 0n));
    },
  },
  {
    name: "a client that vanishes while requests are under way: they are all answered, and the disk can be closed",
    async run({ disk, areas, vanish }) {
      const requests = begin(disk, areas);
      vanish();
      await answered(requests);
      await disk
        .close()
        .catch((error: unknown) => assert.ok(error instanceof Error, `close failed with ${String(error)}, which is no Error`));
    },
  },
  {
    name: "a client that closes does not disturb another",
    skip: alone,
    async run({ disk, areas, openAnother }) {
      const other = await openAnother();
      const seen = areas.map((area) => area.seenBy(other));
      for (const area of seen) await area.relearn(0, area.length);
      await disk.close();
      for (const area of seen) await area.verify();
    },
  },
];

/** Begins many requests without waiting for them. */
function begin(disk: Bench["disk"], areas: readonly Area[]): Promise<unknown>[] {
  return areas.flatMap((area) =>
    Array.from({ length: 8 }, (_, i) => {
      const [start, length] = area.anywhere(20_000);
      const at = area.offset + BigInt(start);
      return i % 2 === 0 || !disk.capabilities.write
        ? (async () => disk.read(new Uint8Array(length), at))()
        : (async () => disk.write(new Uint8Array(length), at))();
    }),
  );
}

/** Waits for requests, which may have failed but not with nothing. */
async function answered(requests: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(requests)) {
    if (result.status === "rejected")
      assert.ok(result.reason instanceof Error, `a request failed with ${String(result.reason)}, which is no Error`);
  }
}
