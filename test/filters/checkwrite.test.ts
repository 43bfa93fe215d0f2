// The checkwrite filter: what would change nothing succeeds, what would change something fails, and nothing is ever changed.

import { describe, expect, onTestFinished, test } from "vitest";
import type { Disk, OpenRequest, Plugin } from "../../src/index.ts";
import { checkwrite, filter, memory, openDisk, pipe } from "../../src/index.ts";
import { type Call, classRam, fail, faulty, ram, recorded } from "../../src/testing/index.ts";
import { command, expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

const content: Uint8Array = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i < 1_500_000 ? (i % 251) + 1 : 0));

async function opened(plugin: Plugin): Promise<Disk> {
  const disk = await openDisk(plugin);
  onTestFinished(() => disk.close().catch(() => undefined));
  return disk;
}

for (const [over, make] of Object.entries({ "a disk that lends": ram, "a class's disk that answers later": classRam })) {
  describe(`over ${over}`, () => {
    test("what is there already can be written", async () => {
      const disk = await opened(pipe(make(content), checkwrite()));
      await disk.write(content.subarray(1000, 900_000), 1000n);
      await disk.write(content.subarray(1000, 2000), 1000n, { fua: true });
      await disk.zero(1_500_000n, 1_500_000n);
      await disk.zero(1_500_000n, 10n, { fua: true, noHole: true, fastZero: true });
      await disk.trim(2_000_000n, 1_000_000n);
      await disk.flush();
    });

    test("what is not there is refused, and says where", async () => {
      const below = make(content);
      const disk = await opened(pipe(below, checkwrite()));
      const changed = content.slice(1000, 900_000);
      changed[500_000] = 0;
      await expect(async () => disk.write(changed, 1000n)).rejects.toMatchObject({
        code: "EIO",
        offset: 501_000n,
        message: `what is written differs from what is there: 0x00 in place of 0x${content[501_000]?.toString(16).padStart(2, "0")} at 501000`,
      });
      await expect(async () => disk.zero(1_499_999n, 1000n)).rejects.toMatchObject({ code: "EIO", offset: 1_499_999n });
      await expect(async () => disk.trim(0n, 3_000_000n)).rejects.toMatchObject({ code: "EIO", offset: 0n });
      expect(Buffer.compare(below.bytes, content)).toBe(0);
    });
  });
}

test("the disk below is opened read-only, and only read", async () => {
  const calls: Call[] = [];
  const wishes: boolean[] = [];
  const witness = filter("witness", () => ({}), {
    open(next, request: OpenRequest) {
      wishes.push(request.readonly);
      return next.open(request);
    },
  });
  const disk = await opened(pipe(ram(content, { readonly: true }), recorded("below", calls), witness, checkwrite()));
  await disk.write(content.subarray(0, 10), 0n);
  await disk.zero(2_000_000n, 1_000_000n);
  await disk.flush();
  expect(new Set(calls.map(({ operation }) => operation))).toEqual(new Set(["start", "open", "read", "extents"]));
  expect(wishes).toEqual([true]);
});

test("holes are not read", async () => {
  const disk = await opened(pipe(memory(2n ** 63n - 1n), checkwrite()));
  await disk.zero(0n, 2n ** 63n - 1n);
  await disk.trim(5n, 2n ** 62n);
});

test("an error in reading the disk below is the client's", async () => {
  const disk = await opened(pipe(ram(content), faulty(fail("read", { code: "EPERM" })), checkwrite()));
  await expect(async () => disk.write(content.subarray(0, 10), 0n)).rejects.toMatchObject({ code: "EPERM" });
});

test("a long check ends when its client goes", async () => {
  const controller = new AbortController();
  const endless: Plugin = { name: "endless", open: () => ({ size: 2n ** 62n, read: (target) => void target.fill(0) }) };
  const disk = await openDisk(pipe(endless, checkwrite()), { signal: controller.signal });
  const checking = (async () => disk.zero(0n, 2n ** 62n))();
  controller.abort(new Error("gone"));
  await expect(checking).rejects.toThrow("gone");
  await disk.close();
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo", "qemu-io"], "side by side with nbdkit", () => {
  test("the same bytes and map", async () => {
    await expectSame(["--filter=checkwrite", "memory", "1000001"]);
  });

  test.each([
    ['nbdcopy "$uri" "$uri"', 0],
    ['nbdcopy --allocated "$uri" "$uri"', 0],
    ['qemu-io -f raw -c "write -P 1 0 512" "$uri"', 1],
    ['qemu-io -f raw -c "write -z 4k 64k" -c "discard 0 1M" "$uri"', 0],
  ])("%s ends with %i", async (script, code) => {
    const argv = ["-U", "-", "--filter=checkwrite", "memory", "1M", "--run", `${script} >/dev/null 2>&1`];
    expect((await command("nbdkit", argv)).code).toBe(code);
    expect((await command("diskwright", argv)).code).toBe(code);
  });
});
