// Zeroing and trimming.

import assert from "node:assert/strict";
import { errorCode, zeroFlags } from "../../contract/index.ts";
import type { Check } from "../check.ts";
import { refused } from "./refused.ts";

export const zeroing: readonly Check[] = [
  {
    name: "zero makes the range read as zeroes and leaves the rest alone, at every alignment",
    skip: ({ write }) => (write ? undefined : "it cannot be written"),
    async run({ disk, areas }) {
      for (const area of areas) {
        for (const noHole of [false, true]) {
          for (const [start, length] of area.edges()) {
            await area.write(start, length);
            await area.zero(start, length, { noHole });
            await area.read(start, length);
          }
          await area.verify();
        }
      }
      await disk.zero(disk.size, 0n);
      await refused("ENOSPC", "zero of a byte at the end", () => disk.zero(disk.size, 1n));
    },
  },
  {
    name: "zeroed ranges can be written again",
    skip: ({ write }) => (write ? undefined : "it cannot be written"),
    async run({ areas }) {
      for (const area of areas) {
        await area.zero(0, area.length);
        for (let i = 0; i < 20; i += 1) await area.write(...area.anywhere(5000));
        await area.verify();
      }
    },
  },
  {
    name: "zero that was to be fast zeroes, or is refused with ENOTSUP and changes nothing",
    skip: ({ write }) => (write ? undefined : "it cannot be written"),
    async run({ disk, areas }) {
      for (const area of areas) {
        for (const [start, length] of area.edges()) {
          await area.write(start, length);
          try {
            await area.zero(start, length, { fastZero: true });
            assert.ok(disk.capabilities.fastZero, "fast zeroing succeeded on a disk that says it cannot (traits.fastZero)");
          } catch (error) {
            if (errorCode(error) !== "ENOTSUP") throw error;
          }
          await area.read(start, length);
        }
        await area.verify();
      }
      if (!disk.capabilities.fastZero) {
        await refused("ENOTSUP", "fast zeroing", () => disk.zero(0n, disk.size > 0n ? 1n : 0n, zeroFlags(false, false, true)));
      }
    },
  },
  {
    name: "trim leaves everything else alone, and the range readable and writable",
    skip: ({ write, trim }) => (write && trim ? undefined : "it has no trim"),
    async run({ disk, areas }) {
      for (const area of areas) {
        await area.write(0, area.length);
        for (const [start, length] of area.edges().toReversed()) {
          await area.trim(start, length);
          await area.verify();
          await area.write(start, length);
        }
        await area.verify();
      }
      await disk.trim(disk.size, 0n);
      await refused("EINVAL", "trim of a byte at the end", () => disk.trim(disk.size, 1n));
    },
  },
  {
    name: "trim is refused with ENOTSUP where the disk has none, and changes nothing",
    skip: ({ write, trim }) => (!write ? "it cannot be written" : trim ? "it has trim" : undefined),
    async run({ disk, areas }) {
      await refused("ENOTSUP", "trim", () => disk.trim(0n, 0n));
      for (const area of areas) {
        await refused("ENOTSUP", "trim", () => area.trim(0, area.length));
        await area.verify();
      }
    },
  },
];
