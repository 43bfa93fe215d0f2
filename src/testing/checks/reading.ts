// Reading, lending and caching.

import assert from "node:assert/strict";

import type { Check } from "../check.ts";
import { refused } from "./refused.ts";

export const reading: readonly Check[] = [
  {
    name: "read fills the buffer with the same bytes however a range is cut",
    async run({ areas }) {
      for (const area of areas) {
        for (const [start, length] of area.edges()) await area.read(start, length);
        for (let i = 0; i < 50; i += 1) await area.read(...area.anywhere(10_000));
      }
    },
  },
  {
    name: "read gives the last byte, nothing at the end, and EINVAL past it; then it goes on",
    async run({ disk, areas }) {
      const last = areas.at(-1);
      if (last !== undefined) await last.read(last.length - last.step, last.step);
      await disk.read(new Uint8Array(0), disk.size);
      await refused("EINVAL", "read of a byte at the end", () => disk.read(new Uint8Array(1), disk.size));
      await refused("EINVAL", "read that straddles the end", () => disk.read(new Uint8Array(2), disk.size > 0n ? disk.size - 1n : 0n));
      await refused("EINVAL", "read at 2^63-1", () => disk.read(new Uint8Array(1), 2n ** 63n - 1n));
      for (const area of areas) await area.read(0, area.step);
    },
  },
  {
    name: "read gives other bytes each time, all of them",
    skip: (_can, { random }) => (random ? undefined : "it gives the same bytes each time"),
    async run({ disk, areas }) {
      for (const area of areas) {
        if (area.length < 64) continue;
        const tails = await Promise.all(
          [0x00, 0xff].map(async (fill) => {
            const target = new Uint8Array(Math.min(area.length, 4096)).fill(fill);
            await disk.read(target, area.offset);
            return target.subarray(-16).every((byte) => byte === fill);
          }),
        );
        assert.ok(!tails.every(Boolean), `read at ${area.offset} left the end of the buffer unfilled`);
      }
    },
  },
  {
    name: "views lends the bytes that read gives",
    skip: ({ views }, { random }) => (random ? "it gives other bytes each time" : views ? undefined : "it lends nothing"),
    async run({ areas }) {
      for (const area of areas) {
        for (const [start, length] of area.edges()) area.views(start, length);
        for (let i = 0; i < 50; i += 1) area.views(...area.anywhere(100_000));
      }
    },
  },
  {
    name: "views lends what was written a moment before",
    skip: ({ views, write }) => (views && write ? undefined : "it lends nothing, or cannot be written"),
    async run({ areas }) {
      for (const area of areas) {
        for (let i = 0; i < 20; i += 1) {
          const [start, length] = area.anywhere(20_000);
          area.views(start, length);
          await area.write(start, length);
          area.views(0, area.length);
        }
      }
    },
  },
  {
    name: "cache changes nothing, or is refused with ENOTSUP",
    async run({ disk, areas }) {
      for (const area of areas) {
        for (const [start, length] of area.edges()) {
          if (disk.capabilities.cache !== "none") await area.cache(start, length);
          else await refused("ENOTSUP", "cache", () => area.cache(start, length));
        }
        await area.verify();
      }
      if (disk.capabilities.cache !== "none") await refused("EINVAL", "cache past the end", () => disk.cache(disk.size, 1n));
    },
  },
  {
    name: "flush succeeds, also when there is nothing to flush",
    async run({ disk }) {
      await disk.flush();
      await disk.flush();
    },
  },
  {
    name: "a disk that cannot be written refuses writing, trimming and zeroing with EPERM, and stays as it is",
    skip: ({ write }) => (write ? "it can be written" : undefined),
    async run({ disk, areas }) {
      const calls = {
        write: () => disk.write(new Uint8Array(1), 0n),
        trim: () => disk.trim(0n, 1n),
        zero: () => disk.zero(0n, 1n),
      };
      for (const [name, call] of Object.entries(calls)) await refused("EPERM", name, call);
      for (const area of areas) await area.verify();
    },
  },
];
