// What a disk says of its holes.

import assert from "node:assert/strict";
import { checkExtents } from "../area.ts";
import type { Check } from "../check.ts";
import { refused } from "./refused.ts";

/** How many times extents are asked for when a whole disk is walked through. */
const STEPS = 200;

export const extents: readonly Check[] = [
  {
    name: "extents start where asked, ascend without a gap, stay within the range, and what they call zeroes reads as zeroes",
    skip: ({ extents: able }) => (able ? undefined : "it does not know its holes"),
    async run({ areas }) {
      for (const area of areas) {
        for (const [start, length] of area.edges()) {
          await area.extents(start, length);
          await area.extents(start, Math.min(length, 3 * area.step), true);
        }
        for (let i = 0; i < 30; i += 1) await area.extents(...area.anywhere(100_000));
      }
    },
  },
  {
    name: "extents keep up with what is written and zeroed",
    skip: ({ extents: able, write }) => (able && write ? undefined : "it does not know its holes, or cannot be written"),
    async run({ areas }) {
      for (const area of areas) {
        await area.zero(0, area.length);
        await area.extents(0, area.length);
        for (let i = 0; i < 20; i += 1) {
          await area.write(...area.anywhere(10_000));
          await area.extents(0, area.length);
          await area.zero(...area.anywhere(10_000));
          await area.extents(...area.anywhere(100_000));
        }
      }
    },
  },
  {
    name: "extents lead through the whole disk",
    async run({ disk }) {
      let at = 0n;
      for (let i = 0; i < STEPS && at < disk.size; i += 1) at = checkExtents(await disk.extents(at, disk.size - at), at, disk.size);
      assert.deepEqual(await disk.extents(disk.size, 0n), []);
      await refused("EINVAL", "extents past the end", () => disk.extents(disk.size, 1n));
    },
  },
  {
    name: "contexts of its own are listed by the same rules",
    skip: (_can, _options, disk) => (disk.contexts.length === 0 ? "it has none" : undefined),
    async run({ disk }) {
      for (const context of disk.contexts) {
        let at = 0n;
        for (let i = 0; i < STEPS && at < disk.size; i += 1) at = checkExtents(await context.extents(at, disk.size - at), at, disk.size);
      }
    },
  },
];
