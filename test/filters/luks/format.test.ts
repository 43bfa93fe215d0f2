import { describe, expect, onTestFinished, test } from "vitest";
import { type Disk, openDisk, pipe } from "../../../src/contract/index.ts";
import { type FormatLuksOptions, formatLuks } from "../../../src/filters/luks.ts";
import { memory } from "../../../src/plugins/memory.ts";
import { type Call, ram, recorded } from "../../../src/testing/index.ts";
import { contentOf, PASSPHRASE, pattern, unlocked } from "./images.ts";

const M = 1024 * 1024;
const quick = { type: "pbkdf2", iterations: 1000 } as const;

async function opened(plugin = memory("32M")): Promise<Disk> {
  const disk = await openDisk(plugin);
  onTestFinished(() => disk.close());
  return disk;
}

describe("a disk that is formatted", () => {
  test.each([1, 2] as const)("as LUKS%i holds what its first 16 MiB held no more, and the rest as it was, encrypted", async (version) => {
    const below = ram(pattern(20 * M));
    await formatLuks(await opened(below), { passphrase: PASSPHRASE, version, kdf: quick, payloadOffset: "16M" });
    expect(Buffer.compare(below.bytes.subarray(16 * M), pattern(20 * M).subarray(16 * M))).toBe(0);
    // Behind the keyslot there is nothing but zeroes.
    expect(below.bytes.subarray(512 * 1024 + 4096, 1024 * 1024).every((byte) => byte === 0)).toBe(true);
    const disk = await unlocked(below);
    expect(disk.size).toBe(BigInt(4 * M));
  });

  test("gets its first header last, and is flushed", async () => {
    for (const version of [1, 2] as const) {
      const calls: Call[] = [];
      const disk = await opened(pipe(ram(20 * M), recorded("below", calls)));
      await formatLuks(disk, { passphrase: PASSPHRASE, version, kdf: quick });
      const [first, ...rest] = calls.map(String).filter((call) => /zero|write|flush/.test(call));
      expect(first).toMatch(/^below: zero \d+ at 0/);
      expect(rest.at(-2)).toMatch(/^below: write \d+ at 0$/);
      expect(rest.at(-1)).toBe("below: flush");
    }
  });

  test("has another key and other salts each time", async () => {
    const contents: Buffer[] = [];
    for (let i = 0; i < 2; i += 1) {
      const below = ram(4 * M);
      await formatLuks(await opened(below), { passphrase: PASSPHRASE, version: 1, kdf: quick });
      contents.push(await contentOf(await unlocked(below)));
    }
    expect(Buffer.compare(contents[0] as Buffer, contents[1] as Buffer)).not.toBe(0);
  });

  test("may have keys of 256 bits, a label, a UUID and large sectors", async () => {
    const below = ram(20 * M);
    const uuid = "11111111-2222-3333-4444-555555555555";
    await formatLuks(await opened(below), {
      passphrase: PASSPHRASE,
      kdf: quick,
      keySize: 256,
      sectorSize: 2048,
      label: "a label",
      uuid,
      payloadOffset: "1M",
    });
    const disk = await unlocked(below);
    expect(disk.size).toBe(BigInt(19 * M));
    expect(Buffer.from(below.bytes.subarray(168, 204)).toString()).toBe(uuid);
    expect(Buffer.from(below.bytes.subarray(24, 31)).toString()).toBe("a label");
  });
});

describe("what cannot be made leaves the disk as it was", () => {
  test.each([
    [{ version: 3 }, "version 3: expected 1 or 2"],
    [{ version: 1, sectorSize: 4096 }, "sectorSize: LUKS1 has sectors of 512 bytes"],
    [{ version: 1, label: "x" }, "label: LUKS1 has none"],
    [{ version: 1, kdf: { type: "argon2id", memory: "1M" } }, "kdf: LUKS1 has pbkdf2 alone; use version 2 for argon2id"],
    [{ sectorSize: 8192 }, "sectorSize 8192: expected 512, 1024, 2048 or 4096"],
    [{ label: "x".repeat(48) }, "label: expected up to 47 characters of ASCII"],
    [{ uuid: "mine" }, "uuid: expected one such as"],
    [{ cipher: "serpent-xts-plain64" }, 'the new disk is encrypted with "serpent-xts-plain64": supported are'],
    [{ keySize: 384 }, "the new disk has a key of 384 bits"],
    [{ hash: "md5" }, 'the new disk uses the hash "md5": supported are'],
    [{ kdf: { type: "scrypt" } }, "kdf.type scrypt: expected pbkdf2, argon2id or argon2i"],
    [{ kdf: { type: "pbkdf2", iterations: 10 } }, "kdf.iterations 10: expected at least 1000"],
    [{ kdf: { type: "pbkdf2", iterations: 1e9 } }, "kdf asks for 1000000000 iterations"],
    [{ kdf: { type: "argon2id", threads: 0 } }, "kdf asks for 0 threads"],
    [{ kdf: { type: "argon2id", memory: "16k" } }, "kdf asks for 16 KiB of memory"],
    [{ kdf: { type: "argon2id", passes: 1.5 } }, "kdf asks for 1.5 passes"],
    [{ payloadOffset: "5000" }, "payloadOffset 5000: expected a multiple of 4096"],
    [{ payloadOffset: "128k" }, "payloadOffset 131072: the keyslot ends at 290816"],
    [{ payloadOffset: "1G" }, "the disk has 33554432 bytes, fewer than the header takes (1073741824)"],
    [{ version: 1, payloadOffset: "1M" }, "payloadOffset 1048576: the keyslots end at"],
  ])("%o", async (options, message) => {
    const below = ram(32 * M);
    const disk = await opened(below);
    const wrong = { passphrase: PASSPHRASE, kdf: quick, ...options } as FormatLuksOptions;
    await expect(formatLuks(disk, wrong)).rejects.toMatchObject({ code: "EINVAL", message: expect.stringContaining(`luks: ${message}`) });
    expect(below.bytes.subarray(0, 4096).every((byte) => byte === 0)).toBe(true);
  });

  test("no passphrase", async () => {
    await expect(formatLuks(await opened(), { kdf: quick } as unknown as FormatLuksOptions)).rejects.toMatchObject({
      code: "EINVAL",
      message: expect.stringMatching(/^luks: passphrase: expected a string/),
    });
  });

  test("a disk that cannot be written", async () => {
    const disk = await opened(ram(new Uint8Array(4 * M), { readonly: true }));
    await expect(formatLuks(disk, { passphrase: PASSPHRASE, version: 1, kdf: quick })).rejects.toMatchObject({ code: "EPERM" });
  });
});
