// A partition table at both ends of the largest disk there is: 2^63-1 bytes.

import { expect, it } from "vitest";
import { openDisk } from "../../src/contract/index.ts";
import { memory } from "../../src/plugins/memory.ts";
import { fuseTools, nbdfuse } from "../fixtures/nbdfuse.ts";
import { run } from "../fixtures/run.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";

const size = 2n ** 63n - 1n;
const lastSector = size / 512n - 1n;

describeWith([...fuseTools, "sgdisk"], "sgdisk", () => {
  overEach((reach) => {
    it("partitions a disk of 8 EiB less a byte, which takes no more memory than the table does", async () => {
      const plugin = memory(size);
      const { uri } = await served(reach, plugin);
      await run("sgdisk", ["--new=1:0:+1G", "--new=2:-1G:0", "--change-name=2:the far end", await nbdfuse(uri)]);

      // Another mount, so that what is read comes from the disk and not from what the kernel remembers.
      const { stdout } = await run("sgdisk", ["--verify", "--print", await nbdfuse(uri)]);
      expect(stdout).toContain("No problems found");
      expect(stdout).toMatch(/^ +1 +2048 +2099199 +1024\.0 MiB/m);
      expect(stdout).toMatch(/^ +2 +18014398507382784 +18014398509481949 .*the far end$/m);

      await using disk = await openDisk(plugin);
      const header = Buffer.alloc(512);
      for (const sector of [1n, lastSector]) {
        await disk.read(header, sector * 512n);
        expect(header.toString("latin1", 0, 8)).toBe("EFI PART");
        expect(header.readBigUInt64LE(24)).toBe(sector);
      }
      const extents = await disk.extents(0n, size);
      const data = extents.filter(({ hole }) => hole !== true);
      expect(data.reduce((sum, { length }) => sum + length, 0n)).toBeLessThan(1024n * 1024n);
    });
  });
});
