// Files that are damaged, cut off or made to do harm: a clear error, never other bytes, never a crash, within bounds of memory and time.

import { unzstd } from "@diskwright/zstd";
import { openDisk, pipe } from "diskwright";
import { ram } from "diskwright/testing";
import { expect, test } from "vitest";
import { random, sample } from "../../../test/fixtures/sample.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { frameOf, seekableOf, tableOf, unzstdOf } from "./files.ts";

/** Reads all of a file; `undefined` where it is refused as damaged. */
async function unpack(file: Uint8Array, options: Parameters<typeof unzstd>[0] = {}): Promise<Buffer | undefined> {
  try {
    await using disk = await openDisk(pipe(ram(file), unzstd(options)));
    if (disk.size > 2n ** 24n) return undefined;
    const target = Buffer.alloc(Number(disk.size));
    await disk.read(target, 0n);
    return target;
  } catch (error) {
    expect((error as { code?: string }).code, String(error)).toMatch(/^(EINVAL|EIO)$/);
    expect(String(error)).toMatch(/the zstd file (cannot be read|is damaged)/);
    return undefined;
  }
}

describeWith(["zstd"], "damage", () => {
  const content = sample(3000, 3);
  const files: Readonly<Record<string, Buffer>> = {
    "two frames": Buffer.concat([frameOf(content.subarray(0, 1000), "--check"), frameOf(content.subarray(1000), "--check")]),
    "a seekable file": seekableOf(content, { frame: 1000 }),
    "a seekable file with checksums of its own": seekableOf(content, { frame: 2000, own: true }),
  };
  for (const [name, file] of Object.entries(files)) {
    for (const [how, options] of [
      ["whole", {}],
      ["as large frames", { maxMemory: 1 }],
    ] as const) {
      test(`${name}, ${how}: bytes changed in turn`, async () => {
        expect(await unpack(file, options)).toEqual(content);
        for (let at = 0; at < file.length; at += at < 32 || at > file.length - 64 ? 1 : 5) {
          const damaged = Buffer.from(file);
          damaged[at] = (damaged[at] as number) ^ (1 << (at % 8));
          const read = await unpack(damaged, options);
          // A header of one frame may become that of a skippable one: then zstd passes over it, too.
          if (read !== undefined && !read.equals(content)) expect(unzstdOf(damaged)?.equals(read), `byte ${at}`).toBe(true);
        }
      });
    }

    test(`${name}: cut off after every byte`, async () => {
      for (let length = 0; length < file.length; length += 1) {
        const cut = file.subarray(0, length);
        const read = await unpack(cut);
        if (read !== undefined) expect(unzstdOf(cut)?.equals(read), `${length} bytes`).toBe(true);
      }
    });
  }

  test("bytes changed at random, without checksums: never more than was promised, and it ends", async () => {
    const next = random(5);
    const file = frameOf(sample(200_000, 9), "--no-check");
    let refused = 0;
    for (let round = 0; round < 300; round += 1) {
      const damaged = Buffer.from(file);
      for (let i = 0; i < 1 + (round % 3); i += 1) damaged[20 + (next() % (file.length - 20))] = next();
      const read = await unpack(damaged, round % 2 === 0 ? {} : { maxMemory: 1 });
      if (read === undefined) refused += 1;
      else expect(read).toHaveLength(200_000);
    }
    expect(refused).toBeGreaterThan(5);
  });

  test.each([
    ["nothing", Buffer.alloc(0), "it is empty"],
    ["text", Buffer.from("hello ".repeat(100)), "does not begin as zstd files do"],
    ["what another frame follows that is none", Buffer.concat([frameOf(content), Buffer.from("hello hello")]), "there is no frame at byte"],
    ["a frame made with a dictionary", Buffer.from("28b52ffd01580700000001000000", "hex"), "made with a dictionary"],
    ["a frame that needs two gigabytes", Buffer.from("28b52ffd00a801000041000000", "hex"), "take"],
    ["a seek table that is longer than the file", tableOf([], false).fill(0x01, 8, 10), "longer than the file"],
    [
      "a seek table of frames that are not there",
      tableOf([Buffer.from([1, 0, 0, 0, 1, 0, 0, 0])], false),
      "the frames of its seek table take 1 bytes",
    ],
  ])("%s is refused", async (_, file, text) => {
    const opened = openDisk(pipe(ram(file), unzstd()));
    await expect(opened.then((disk) => disk.read(new Uint8Array(1), 0n))).rejects.toThrow(text);
  });

  test("a petabyte that is none is an error where it is read, and takes no memory", async () => {
    // A header that promises 2^50 bytes, and a block of none.
    const file = Buffer.concat([Buffer.from("28b52ffdc038", "hex"), Buffer.from([0, 0, 0, 0, 0, 0, 4, 0]), Buffer.from([1, 0, 0])]);
    await using disk = await openDisk(pipe(ram(file), unzstd()));
    expect(disk.size).toBe(2n ** 50n);
    await expect(Promise.resolve(disk.read(new Uint8Array(100), 2n ** 49n))).rejects.toMatchObject({ code: "EIO" });
  });
});
