// Writing.

import assert from "node:assert/strict";
import type { Capabilities } from "../../contract/index.ts";
import { writeFlags } from "../../contract/index.ts";
import type { Check } from "../check.ts";
import { alone } from "./opening.ts";
import { refused } from "./refused.ts";

const readOnly = ({ write }: Capabilities): string | undefined => (write ? undefined : "it cannot be written");

export const writing: readonly Check[] = [
  {
    name: "write puts bytes where they belong and leaves the rest alone, at every alignment",
    skip: readOnly,
    async run({ areas }) {
      for (const area of areas) {
        for (const [start, length] of area.edges()) {
          await area.write(start, length);
          await area.read(start, length);
        }
        await area.verify();
      }
      for (const area of areas) await area.verify();
    },
  },
  {
    name: "write takes small pieces one after the other, and over one another",
    skip: readOnly,
    async run({ areas }) {
      for (const area of areas) {
        for (let i = 0; i < 100; i += 1) await area.write(...area.anywhere(3 * area.step));
        for (let i = 0; i < 30; i += 1) await area.write(...area.anywhere(10_000));
        await area.verify();
      }
    },
  },
  {
    name: "room is where the bytes of a write belong, and takes them",
    skip: (can, _options, disk) => readOnly(can) ?? (disk.room === undefined ? "it lends no room" : undefined),
    async run({ disk, areas }) {
      for (const area of areas) {
        for (const [start, length] of area.edges()) {
          await area.writeInRoom(start, length);
          await area.verify();
          await area.write(start, length);
        }
        for (let i = 0; i < 20; i += 1) await area.writeInRoom(...area.anywhere(10_000));
        await area.verify();
      }
      await refused("ENOSPC", "room past the end", () => disk.room?.(disk.size, 1));
    },
  },
  {
    name: "write of nothing succeeds; past the end it is ENOSPC and writes nothing",
    skip: readOnly,
    async run({ disk, areas }) {
      await disk.write(new Uint8Array(0), disk.size);
      await refused("ENOSPC", "write of a byte at the end", () => disk.write(new Uint8Array(1), disk.size));
      await refused("ENOSPC", "write that straddles the end", () => disk.write(new Uint8Array(2), disk.size > 0n ? disk.size - 1n : 0n));
      for (const area of areas) await area.verify();
    },
  },
  {
    name: "write with FUA writes, or is refused with EINVAL where the disk has no FUA",
    skip: readOnly,
    async run({ disk, areas }) {
      for (const area of areas) {
        const [start, length] = area.anywhere(4096);
        if (disk.capabilities.fua !== "none") await area.write(start, length, { fua: true });
        else await refused("EINVAL", "write with FUA", () => disk.write(new Uint8Array(length), area.offset, writeFlags(true)));
        await area.verify();
      }
    },
  },
  {
    name: "clients see each other's flushed writes, as the disk says that several may be used at once",
    skip: (can, options) => readOnly(can) ?? alone(can, options) ?? (can.multiConn ? undefined : "it does not say so (multiConn)"),
    async run({ disk, areas, openAnother }) {
      const other = await openAnother();
      for (const area of areas) {
        const seen = area.seenBy(other);
        await area.write(...area.anywhere(10_000));
        await disk.flush();
        await seen.verify();
        await seen.write(...area.anywhere(10_000));
        await other.flush();
        await area.verify();
      }
    },
  },
  {
    name: "what was written and flushed is there when the disk is opened again",
    skip: (can, { persistent }) => readOnly(can) ?? (persistent ? undefined : "it is not said to keep what is written (option persistent)"),
    async run({ disk, areas, reopen }) {
      for (const area of areas) for (let i = 0; i < 10; i += 1) await area.write(...area.anywhere(10_000));
      await disk.flush();
      const again = await reopen();
      assert.equal(again.size, disk.size);
      for (const area of areas) await area.seenBy(again).verify();
    },
  },
];
