// A real file system on a disk of ours, through nbdfuse and a loop device: made, filled, checked, mounted again, trimmed.

import { expect, it } from "vitest";
import { openDisk, type Plugin, pipe } from "../../src/contract/index.ts";
import { memory } from "../../src/plugins/memory.ts";
import { fuseTools, loopDevice, mounted, nbdfuse } from "../fixtures/nbdfuse.ts";
import { late } from "../fixtures/ram.ts";
import { run } from "../fixtures/run.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";

const MiB = 1024 * 1024;

/** Fills a folder: 100 small files in 10 folders, three of 8 MiB, one with a hole in it; and a list of what is in them. */
const fill = `
cd "$0"
for folder in $(seq 10); do
  mkdir $folder
  for file in $(seq 10); do
    head -c $((folder * file * 37)) /dev/urandom > $folder/$file
  done
done
for large in a b c; do head -c 8388608 /dev/urandom > $large; done
truncate -s 1M hole
head -c 5000 /dev/urandom >> hole
find . -type f ! -name sums -print0 | xargs -0 sha256sum > sums
`;

/** How many bytes of a disk are data. */
async function allocated(plugin: Plugin): Promise<number> {
  await using disk = await openDisk(plugin);
  let bytes = 0n;
  for (let at = 0n; at < disk.size; ) {
    const extents = await disk.extents(at, disk.size - at);
    for (const { hole, length } of extents) {
      if (hole !== true) bytes += length;
      at += length;
    }
  }
  return Number(bytes);
}

describeWith([...fuseTools, "mkfs.ext4", "mkfs.btrfs", "e2fsck", "fstrim", "sha256sum"], "a file system", () => {
  overEach((reach) => {
    it.each([
      ["ext4", "at once", ["mkfs.ext4", "-q"], ["e2fsck", "-f", "-n"]],
      ["ext4", "late", ["mkfs.ext4", "-q"], ["e2fsck", "-f", "-n"]],
      ["btrfs", "at once", ["mkfs.btrfs", "-q"], ["btrfs", "check", "--readonly"]],
    ] as const)(
      "%s on a disk that answers %s holds what was written to it, and gives back what was deleted",
      async (_, how, mkfs, check) => {
        const plugin = memory("256M");
        const { uri } = await served(reach, how === "late" ? pipe(plugin, late(2)) : plugin);
        const device = await loopDevice(await nbdfuse(uri));
        const [make, ...makeOptions] = mkfs;
        const [fsck, ...fsckOptions] = check;
        const verify = async (): Promise<void> => void (await run(fsck, [...fsckOptions, device]));

        await run(make, [...makeOptions, device]);
        await verify();
        const first = await mounted(device);
        await run("sh", ["-ec", fill, first]);
        await run("umount", [first]);
        await verify();
        const full = await allocated(plugin);
        expect(full).toBeGreaterThan(24 * MiB);

        const second = await mounted(device);
        await run("sha256sum", ["--check", "--quiet", "sums"], { cwd: second });
        await run("rm", ["a", "b"], { cwd: second });
        await run("sync", ["-f", second]);
        await run("fstrim", [second]);
        await run("umount", [second]);
        await verify();
        expect(await allocated(plugin)).toBeLessThan(full - 15 * MiB);

        const third = await mounted(device, "-o", "ro");
        await run("sh", ["-ec", 'cd "$0" && grep -v -E " ./(a|b)$" sums | sha256sum --check --quiet', third]);
        await run("umount", [third]);
      },
    );
  });
});
