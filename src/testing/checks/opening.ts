// What a plugin says of itself, and of the disk that it opens.

import assert from "node:assert/strict";
import type { Capabilities } from "../../contract/index.ts";
import { lostCapabilities } from "../capabilities.ts";
import type { Check } from "../check.ts";
import type { PluginTestOptions } from "../plugin.ts";

/** What NBD tells of a disk. */
const travelling = ["flush", "trim", "zero", "extents", "fua", "multiConn", "rotational", "cache"] as const;

/** Why there are no two clients at a time. */
export function alone(_can: Capabilities, { exclusive }: PluginTestOptions): string | undefined {
  return exclusive ? "it is for one client at a time (option exclusive)" : undefined;
}

export const opening: readonly Check[] = [
  {
    name: "the disk can do what it is expected to",
    skip: (_can, { expect }) => (expect === undefined ? "no capability is said to be expected (option expect)" : undefined),
    async run({ disk, openDirectly, options }) {
      const { capabilities } = options.exclusive ? disk : await openDirectly();
      for (const [key, value] of Object.entries(options.expect ?? {})) {
        assert.equal(capabilities[key as keyof typeof capabilities], value, `capabilities.${key}`);
      }
    },
  },
  {
    name: "the disk loses no capability on its way here",
    skip: alone,
    async run({ disk, openDirectly }) {
      const direct = await openDirectly();
      assert.equal(disk.size, direct.size, "size");
      assert.equal(disk.capabilities.write, direct.capabilities.write, "capabilities.write");
      assert.deepEqual(lostCapabilities(direct.capabilities, disk.capabilities, travelling), []);
    },
  },
  {
    name: "the disk holds what it is said to hold",
    skip: (_can, { content }) => (content === undefined ? "what it holds is not said (option content)" : undefined),
    async run({ disk, areas, options }) {
      const content = options.content as Uint8Array;
      assert.ok(
        disk.size >= BigInt(content.length),
        `the disk has ${disk.size} bytes, fewer than the ${content.length} it is said to hold`,
      );
      for (const area of areas) {
        const start = Number(area.offset);
        area.compare(content.subarray(start, start + area.length), 0, "the content that was said, compared with a read");
      }
    },
  },
  {
    name: "another client gets a disk too, of the same size",
    skip: alone,
    async run({ disk, areas, openAnother }) {
      const other = await openAnother();
      assert.equal(other.size, disk.size);
      for (const area of areas) {
        const seen = area.seenBy(other);
        // It need not be the same disk: what counts is that it can be read, and that it is the same twice.
        await seen.relearn(0, area.length);
        await seen.verify();
      }
    },
  },
  {
    name: "the disk can be opened again after it was closed",
    async run({ disk, reopen }) {
      assert.equal((await reopen()).size, disk.size);
    },
  },
];
