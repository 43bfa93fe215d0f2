// Both ways with cryptsetup and qemu: each opens what the other made, and reads what the other wrote.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDisk } from "../../../src/contract/index.ts";
import { type FormatLuksOptions, formatLuks } from "../../../src/filters/luks.ts";
import { ram } from "../../../src/testing/ram.ts";
import { run } from "../../fixtures/run.ts";
import { expectSame } from "../../fixtures/side-by-side.ts";
import { describeWith } from "../../fixtures/tools.ts";
import { contentOf, cryptsetup, cryptsetupImage, folder, PASSPHRASE, pattern, qemuRead, ramOf, unlocked } from "./images.ts";
import { reference } from "./reference.ts";

const M = 1024 * 1024;

describeWith(["cryptsetup", "qemu-img"], "LUKS1 as cryptsetup makes it", () => {
  test.each([
    ["aes-xts-plain64", 512, "sha256"],
    ["aes-xts-plain64", 256, "sha512"],
    ["aes-xts-plain", 512, "sha1"],
    ["aes-cbc-essiv:sha256", 256, "ripemd160"],
    ["aes-cbc-essiv:sha256", 128, "sha1"],
    ["aes-cbc-plain64", 256, "sha256"],
  ])("%s with %i bits and %s: qemu and we read the same, and what we write", async (cipher, bits, hash) => {
    const path = folder();
    const image = await cryptsetupImage(path, 4 * M, "--type", "luks1", "--cipher", cipher, "--key-size", String(bits), "--hash", hash);
    const { below, save } = ramOf(image);
    const disk = await unlocked(below);
    expect(Buffer.compare(await contentOf(disk), await qemuRead(path, image))).toBe(0);
    await disk.write(pattern(200_000), 12_345n);
    await disk.zero(300_000n, 100_000n);
    const changed = save();
    expect(Buffer.compare(await contentOf(disk), await qemuRead(path, changed))).toBe(0);
    await cryptsetup(path, "open", "--test-passphrase", changed);
  });

  test("any of the eight keyslots opens it, and one that was removed does not", async () => {
    const path = folder();
    const image = await cryptsetupImage(path, 4 * M, "--type", "luks1");
    for (let slot = 1; slot < 8; slot += 1) {
      writeFileSync(join(path, "new"), `passphrase ${slot}`);
      await cryptsetup(path, "luksAddKey", "--pbkdf-force-iterations", "1000", "--new-key-slot", String(slot), image, join(path, "new"));
    }
    await cryptsetup(path, "luksKillSlot", image, "3");
    const { below } = ramOf(image);
    for (const slot of [1, 2, 4, 5, 6, 7]) await unlocked(below, { passphrase: `passphrase ${slot}` });
    await unlocked(below, { passphrase: "passphrase 7", keyslot: 7 });
    await expect(unlocked(below, { passphrase: "passphrase 3" })).rejects.toMatchObject({
      code: "EPERM",
      message: "luks: none of the 7 keyslots in use opens with this passphrase",
    });
    await expect(unlocked(below, { passphrase: "passphrase 7", keyslot: 6 })).rejects.toMatchObject({
      message: "luks: keyslot 6 does not open with this passphrase",
    });
    await expect(unlocked(below, { keyslot: 3 })).rejects.toMatchObject({
      message: "luks: keyslot 3 is not in use: those in use are 0, 1, 2, 4, 5, 6, 7",
    });
  });

  test("a key file opens it, with every byte", async () => {
    const path = folder();
    const key = Buffer.from([...pattern(500), 10, 0, 10]);
    writeFileSync(join(path, "secret"), key);
    const image = await cryptsetupImage(path, 4 * M, "--type", "luks1");
    const { below } = ramOf(image);
    await unlocked(below, { passphrase: () => key });
    await expect(unlocked(below, { passphrase: key.subarray(0, -1) })).rejects.toMatchObject({ code: "EPERM" });
  });
});

describeWith(["cryptsetup"], "LUKS2 as cryptsetup makes it", () => {
  test.each([
    ["pbkdf2", 512, "sha256"],
    ["pbkdf2", 4096, "sha512"],
    ["argon2id", 4096, "sha256"],
    ["argon2i", 1024, "sha256"],
  ])("%s and sectors of %i bytes: the content is that of its volume key", async (pbkdf, sectorSize, hash) => {
    const path = folder();
    const memory = pbkdf === "pbkdf2" ? [] : ["--pbkdf-memory", "65536", "--pbkdf-parallel", "3"];
    const argv = ["--type", "luks2", "--pbkdf", pbkdf, ...memory, "--sector-size", String(sectorSize), "--hash", hash];
    const image = await cryptsetupImage(path, 20 * M, ...argv);
    const bytes = readFileSync(image);
    bytes.set(pattern(4 * M), 16 * M);
    await cryptsetup(path, "luksDump", "--dump-volume-key", "--volume-key-file", join(path, "key"), image);
    const key = readFileSync(join(path, "key"));
    const disk = await unlocked(ram(bytes));
    const expected = reference("decrypt", bytes.subarray(16 * M), { cipher: "aes-xts-plain64", key, sectorSize });
    expect(Buffer.compare(await contentOf(disk), expected)).toBe(0);
  });

  test("what we wrote, cryptsetup decrypts", async () => {
    const path = folder();
    const image = await cryptsetupImage(path, 20 * M, "--type", "luks2", "--pbkdf", "pbkdf2", "--sector-size", "4096");
    const { below, save } = ramOf(image);
    const disk = await unlocked(below);
    await disk.write(pattern(Number(disk.size)), 0n);
    await disk.write(pattern(1000, 2), 4000n);
    const expected = await contentOf(disk);
    const changed = save();
    // To decrypt a disk offline, cryptsetup moves its header to a file and then the data to the start of the disk, in user space.
    const quick = ["--pbkdf-force-iterations", "1000", "--pbkdf", "pbkdf2"];
    await cryptsetup(path, "reencrypt", "--decrypt", "--force-offline-reencrypt", "--header", join(path, "header"), ...quick, changed);
    expect(Buffer.compare(readFileSync(changed).subarray(0, expected.length), expected)).toBe(0);
  });

  test("keyslots are tried by their priority, and ignored ones only when they are asked for", async () => {
    const path = folder();
    const image = await cryptsetupImage(path, 20 * M, "--type", "luks2", "--pbkdf", "pbkdf2");
    await cryptsetup(path, "config", "--key-slot", "0", "--priority", "ignore", image);
    const { below } = ramOf(image);
    await expect(unlocked(below)).rejects.toMatchObject({ code: "EPERM", message: "luks: there is no keyslot to open the disk with" });
    await unlocked(below, { keyslot: 0 });
  });

  test("a disk whose first header is gone opens with the second", async () => {
    const path = folder();
    const image = await cryptsetupImage(path, 20 * M, "--type", "luks2", "--pbkdf", "pbkdf2");
    const { below } = ramOf(image);
    below.bytes.fill(0, 0, 16_384);
    await unlocked(below);
  });

  test("a disk that is being encrypted anew is refused", async () => {
    const path = folder();
    const image = await cryptsetupImage(path, 20 * M, "--type", "luks2", "--pbkdf", "pbkdf2");
    await cryptsetup(
      path,
      "reencrypt",
      "--init-only",
      "--pbkdf",
      "pbkdf2",
      "--pbkdf-force-iterations",
      "1000",
      "--resilience",
      "none",
      image,
    );
    const { below } = ramOf(image);
    await expect(unlocked(below)).rejects.toMatchObject({
      code: "EINVAL",
      message: expect.stringMatching(/requires what is not supported: "online-reencrypt/),
    });
  });
});

describeWith(["cryptsetup", "qemu-img"], "disks of our own making", () => {
  async function made(
    path: string,
    size: number,
    options: Partial<FormatLuksOptions>,
  ): Promise<{ readonly image: string; readonly content: Buffer }> {
    const below = ram(pattern(size));
    const raw = await openDisk(below);
    await formatLuks(raw, { passphrase: PASSPHRASE, ...options });
    await raw.close();
    const disk = await unlocked(below);
    await disk.write(pattern(300_000, 4), 5000n);
    const image = join(path, "ours.img");
    writeFileSync(image, below.bytes);
    return { image, content: await contentOf(disk) };
  }
  const quick = { type: "pbkdf2", iterations: 1000 } as const;

  test.each([
    ["aes-xts-plain64", 512, "sha256"],
    ["aes-xts-plain64", 256, "sha512"],
    ["aes-cbc-essiv:sha256", 256, "sha1"],
  ])("LUKS1, %s with %i bits: opened by cryptsetup, read by qemu", async (cipher, keySize, hash) => {
    const path = folder();
    const { image, content } = await made(path, 4 * M, { version: 1, cipher, keySize, hash, kdf: quick });
    await cryptsetup(path, "open", "--test-passphrase", image);
    expect(Buffer.compare(await qemuRead(path, image), content)).toBe(0);
    const dump = await cryptsetup(path, "luksDump", image);
    expect(dump).toMatch(/Version:\s+1\n/);
  });

  test.each([
    [quick, 512, ""],
    [{ type: "argon2id", passes: 1, memory: "32M", threads: 2 }, 4096, "backup of 2026"],
    [{ type: "argon2i", passes: 4, memory: "1M", threads: 1 }, 512, ""],
  ] as const)(
    "LUKS2, %o, sectors of %i bytes: cryptsetup opens it, adds a key and finds nothing to repair",
    async (kdf, sectorSize, label) => {
      const path = folder();
      const { image } = await made(path, 20 * M, { kdf, sectorSize, label });
      await cryptsetup(path, "open", "--test-passphrase", image);
      const dump = await cryptsetup(path, "luksDump", image);
      expect(dump).toMatch(new RegExp(`Label:\\s+${label || "\\(no label\\)"}\n`));
      expect(dump).toMatch(new RegExp(`sector: ${sectorSize} `));
      writeFileSync(join(path, "new"), "another");
      await cryptsetup(path, "luksAddKey", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", image, join(path, "new"));
      await cryptsetup(path, "repair", image);
      await unlocked(ramOf(image).below, { passphrase: "another" });
    },
  );

  test("LUKS2 of ours is decrypted by cryptsetup", async () => {
    const path = folder();
    const { image, content } = await made(path, 20 * M, { kdf: quick });
    await cryptsetup(
      path,
      "reencrypt",
      "--decrypt",
      "--force-offline-reencrypt",
      "--header",
      join(path, "header"),
      "--pbkdf",
      "pbkdf2",
      image,
    );
    expect(Buffer.compare(readFileSync(image).subarray(0, content.length), content)).toBe(0);
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo", "cryptsetup"], "side by side with nbdkit", () => {
  test("LUKS1 from a file", async () => {
    const path = folder();
    const image = await cryptsetupImage(path, 4 * M, "--type", "luks1");
    await expectSame(["file", image, "--filter=luks", `passphrase=+${join(path, "secret")}`]);
  });

  test("LUKS1 in a partition", async () => {
    const path = folder();
    const image = await cryptsetupImage(path, 4 * M, "--type", "luks1");
    await run("nbdkit", ["-U", "-", "partitioning", image, "--run", `nbdcopy "$uri" ${join(path, "parted.img")}`]);
    await expectSame([
      "file",
      join(path, "parted.img"),
      "--filter=luks",
      `passphrase=+${join(path, "secret")}`,
      "--filter=partition",
      "partition=1",
    ]);
  });
});
