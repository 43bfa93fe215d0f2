// Headers of all sorts of damage and malice: a clear error, in bounded time and memory, and never a crash.

import { describe, expect, onTestFinished, test } from "vitest";
import { type Disk, openDisk } from "../../../src/contract/index.ts";
import type { LuksHeader } from "../../../src/filters/luks/header.ts";
import { encodeHeader2, readHeader2 } from "../../../src/filters/luks/header2.ts";
import { readHeader } from "../../../src/filters/luks/read-header.ts";
import { ram } from "../../../src/testing/ram.ts";
import { Random } from "../../../src/testing/random.ts";
import { PASSPHRASE, small1, small2, unlocked } from "./images.ts";

const one = await small1();
const two = await small2();

async function diskOf(bytes: Uint8Array): Promise<Disk> {
  const disk = await openDisk(ram(bytes));
  onTestFinished(() => disk.close());
  return disk;
}

async function headerOf(bytes: Uint8Array): Promise<LuksHeader> {
  return readHeader(await diskOf(bytes));
}

/** What a header says or why it was refused: anything but a clear refusal fails the test. */
async function readOrRefused(bytes: Uint8Array): Promise<LuksHeader | undefined> {
  try {
    return await headerOf(bytes);
  } catch (error) {
    expect(error).toMatchObject({ name: "DiskError", code: "EINVAL", message: expect.stringMatching(/^luks: [ -~…]{10,900}$/) });
    return undefined;
  }
}

/** Opens the disk where that takes no time: as the header says, or with what it can be refused for. */
async function openIfQuick(bytes: Uint8Array, header: LuksHeader): Promise<void> {
  const work = [...header.keyslots.map(({ kdf }) => kdf), ...header.segments.map(({ digest }) => digest)];
  if (!work.every((kdf) => kdf.type === "pbkdf2" && kdf.iterations < 5000)) return;
  const disk = await unlocked(ram(bytes)).catch((error) => {
    expect(["EINVAL", "EPERM"]).toContain(error.code);
    expect(error.message).not.toContain(PASSPHRASE);
  });
  if (disk !== undefined && disk.size > 0n) await disk.read(new Uint8Array(1), disk.size - 1n);
}

describe("LUKS1", () => {
  const patched = (offset: number, value: number): Uint8Array => {
    const bytes = one.bytes.slice();
    new DataView(bytes.buffer).setUint32(offset, value);
    return bytes;
  };
  const text = (offset: number, value: string): Uint8Array => {
    const bytes = one.bytes.slice().fill(0, offset, offset + 32);
    bytes.set(Buffer.from(value, "latin1"), offset);
    return bytes;
  };

  test.each([
    ["no magic", patched(0, 0), "this is no LUKS disk: it does not begin with the header of one"],
    ["version 3", patched(4, 0xbabe0003), "LUKS version 3 is not supported: 1 and 2 are"],
    ["a cipher that is no text", text(8, "aes\u0001"), "the cipher of the header is no text"],
    ["another cipher", text(8, "twofish"), 'the disk is encrypted with "twofish-xts-plain64": supported are'],
    ["a long cipher", text(8, "x".repeat(32)), `the disk is encrypted with "${"x".repeat(32)}-xts-pla…": supported are`],
    ["another hash", text(72, "whirlpool"), 'the header uses the hash "whirlpool": supported are'],
    ["data past the end", patched(104, 0xffffffff), "the data begin at 2199023255040, past the end of the disk (327680 bytes)"],
    ["a detached header", patched(104, 0), "the disk holds a detached header only"],
    ["data amid keyslots", patched(104, 8), "keyslot 0 lies from 4096 to 4608: not between the header and the data (592 to 4096)"],
    ["no key", patched(108, 0), "the disk has a key of 0 bits for aes-xts-plain64: it takes 256, 512"],
    ["a huge key", patched(108, 0xffffffff), "the disk has a key of 34359738360 bits"],
    ["no iterations of the digest", patched(164, 0), "the key's digest asks for 0 iterations of PBKDF2: expected 1 to 100000000"],
    ["too many of the digest", patched(164, 0xffffffff), "the key's digest asks for 4294967295 iterations"],
    ["a keyslot in no state", patched(208, 1), "keyslot 0 is neither in use nor free: the header is damaged"],
    ["no iterations", patched(212, 0), "keyslot 0 asks for 0 iterations"],
    ["too many iterations", patched(212, 100_000_001), "keyslot 0 asks for 100000001 iterations"],
    ["a keyslot over the header", patched(248, 1), "keyslot 0 lies from 512 to 1024"],
    ["a keyslot past the end", patched(248, 0xffffffff), "keyslot 0 lies from 2199023255040 to 2199023255552"],
    ["no stripes", patched(252, 0), "keyslot 0 is split into 0 stripes"],
    ["too many stripes", patched(252, 0xffffffff), "keyslot 0 is split into 4294967295 stripes"],
  ])("%s", async (_, bytes, message) => {
    await expect(headerOf(bytes)).rejects.toMatchObject({ code: "EINVAL", message: expect.stringContaining(`luks: ${message}`) });
  });

  test("two keyslots at the same place", async () => {
    const bytes = one.bytes.slice();
    bytes.copyWithin(256, 208, 256);
    await expect(headerOf(bytes)).rejects.toMatchObject({ message: "luks: keyslots 0 and 1 overlap" });
  });

  test("no keyslot in use", async () => {
    await expect(unlocked(ram(patched(208, 0xdead)))).rejects.toMatchObject({
      code: "EPERM",
      message: "luks: there is no keyslot to open the disk with",
    });
  });

  test("cut off anywhere", async () => {
    for (let length = 0; length <= 600; length += 1) expect(await readOrRefused(one.bytes.subarray(0, length))).toBeUndefined();
    expect((await headerOf(one.bytes.subarray(0, 65_536))).segments[0]?.length).toBe(0n);
  });

  test("1000 flipped bits", async () => {
    const { bytes: start } = await small1({ payload: 4096 });
    const draw = new Random(1);
    for (let round = 0; round < 1000; round += 1) {
      const bytes = start.slice();
      const bit = draw.below(592 * 8);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      const header = await readOrRefused(bytes);
      if (header !== undefined && round % 10 === 0) await openIfQuick(bytes, header);
    }
  });
});

describe("LUKS2, the binary header", () => {
  test("the second copy counts where the first is damaged, and the other way round", async () => {
    for (const damage of [8, 100, 300, 448, 5000]) {
      for (const copy of [0, 16_384]) {
        const bytes = two.bytes.slice();
        bytes[copy + damage] = (bytes[copy + damage] as number) ^ 1;
        await unlocked(ram(bytes));
      }
    }
  });

  test("the newer of two counts, and never an older one because it asks for less", async () => {
    const header = await readHeader2(await diskOf(two.bytes));
    if (header === undefined) expect.unreachable();
    const metadata = JSON.parse(header.json);
    metadata.config.requirements = { mandatory: ["something-new"] };
    const newer = { ...header, sequence: 2n, label: "newer", json: JSON.stringify(metadata) };
    for (const [offset, copy] of [
      [0, "first"],
      [16_384, "second"],
    ] as const) {
      const bytes = two.bytes.slice();
      bytes.set(encodeHeader2({ ...newer, json: header.json }, copy), offset);
      expect((await headerOf(bytes)).label).toBe("newer");
      bytes.set(encodeHeader2(newer, copy), offset);
      await expect(headerOf(bytes)).rejects.toMatchObject({ message: 'luks: the disk requires what is not supported: "something-new"' });
    }
  });

  test("both damaged", async () => {
    const bytes = two.bytes.slice().fill(0xff, 4096, 4100).fill(0xff, 20_480, 20_484);
    await expect(headerOf(bytes)).rejects.toMatchObject({
      code: "EINVAL",
      message: "luks: both headers are damaged: the one at 0: its checksum is wrong; the one at 16384: its checksum is wrong",
    });
  });

  test("cut off anywhere", async () => {
    for (let length = 0; length < 33_000; length += length < 600 || (length > 16_300 && length < 16_500) ? 1 : 97) {
      expect(await readOrRefused(two.bytes.subarray(0, length))).toBeUndefined();
    }
  });

  test("sizes and places that cannot be", async () => {
    for (const [offset, value] of [
      [8, 2n ** 64n - 1n],
      [8, 0n],
      [8, 4096n],
      [8, 2n ** 40n],
      [256, 512n],
    ] as const) {
      const bytes = two.bytes.slice().fill(0, 16_384, 32_768);
      new DataView(bytes.buffer).setBigUint64(offset, value);
      await expect(headerOf(bytes)).rejects.toMatchObject({
        code: "EINVAL",
        message: expect.stringMatching(/both headers are damaged: the one at 0: it/),
      });
    }
  });
});

describe("LUKS2, the JSON", () => {
  type Json = Record<string, Record<string, Record<string, unknown>>>;

  /** The disk with other metadata, in both headers. */
  async function withJson(change: (metadata: never) => unknown): Promise<Uint8Array> {
    const header = await readHeader2(await diskOf(two.bytes));
    if (header === undefined) expect.unreachable();
    const metadata = JSON.parse(header.json);
    const changed = change(metadata as never) ?? metadata;
    const json = typeof changed === "string" ? changed : JSON.stringify(changed);
    const bytes = two.bytes.slice();
    bytes.set(encodeHeader2({ ...header, json }, "first"));
    bytes.set(encodeHeader2({ ...header, json }, "second"), 16_384);
    return bytes;
  }
  const put = (path: string, value: unknown) => (metadata: Json) => {
    const names = path.split(".");
    const last = names.pop() as string;
    const parent = names.reduce<Record<string, unknown>>((object, name) => object[name] as Record<string, unknown>, metadata);
    if (value === undefined) delete parent[last];
    else parent[last] = value;
  };

  test.each([
    ["nothing", () => "", "the header's JSON cannot be read"],
    ["no JSON", () => "{]", "the header's JSON cannot be read"],
    ["a list", () => "[]", "the header's JSON is not an object"],
    ["deep nesting", () => "[".repeat(12_000), "the header's JSON cannot be read"],
    ["no config", put("config", undefined), "the header's config is not an object"],
    ["another JSON size", put("config.json_size", "4096"), "the header's config.json_size is not that of the header"],
    [
      "a huge keyslots area",
      put("config.keyslots_size", "18446744073709551615"),
      "the header's config.keyslots_size 18446744073709551615 is more than",
    ],
    ["more than 64 bits", put("config.keyslots_size", "18446744073709551616"), "is not a string of decimal digits, below 2^64"],
    [
      "a requirement",
      put("config.requirements", { mandatory: ["online-reencrypt-v2"] }),
      'the disk requires what is not supported: "online-reencrypt-v2"',
    ],
    ["no segments", put("segments", {}), "the header has 0 segments: expected 1 to 32"],
    ["a name that is no number", put("segments.x", {}), 'the header\'s segments."x" is not a number as its name'],
    ["another segment type", put("segments.0.type", "linear"), 'segment 0 is of type "linear": crypt is supported'],
    [
      "integrity",
      put("segments.0.integrity", { type: "aead" }),
      "segment 0 has integrity protection (dm-integrity), which is not supported",
    ],
    [
      "data over the header",
      put("segments.0.offset", "4096"),
      "segment 0 begins at 4096: expected a whole sector between the end of the header (65536)",
    ],
    ["data past the end", put("segments.0.offset", "1048576"), "segment 0 begins at 1048576"],
    ["data amid a sector", put("segments.0.offset", "65537"), "segment 0 begins at 65537"],
    ["a segment past the end", put("segments.0.size", "1048576"), "segment 0 ends at 1114112, past the end of the disk (327680 bytes)"],
    ["a segment of no bytes", put("segments.0.size", "0"), "segment 0 has 0 bytes: expected whole sectors of 512"],
    ["an odd sector size", put("segments.0.sector_size", 513), "segment 0 has sectors of 513 bytes"],
    [
      "another cipher",
      put("segments.0.encryption", "serpent-xts-plain64"),
      'segment 0 is encrypted with "serpent-xts-plain64": supported are',
    ],
    ["a negative tweak", put("segments.0.iv_tweak", "-1"), "the header's segments.0.iv_tweak is not a string of decimal digits"],
    ["no digests", put("digests", {}), "segment 0 has no digest: its key cannot be known"],
    ["another digest type", put("digests.0.type", "sha256"), 'the header\'s digests.0 is of type "sha256": pbkdf2 is supported'],
    ["a digest's iterations", put("digests.0.iterations", 1e12), "the header's digests.0 asks for 1000000000000 iterations"],
    ["a short digest", put("digests.0.digest", "AAAA"), "the header's digests.0.digest is not 20 to 64 bytes in base64"],
    [
      "a keyslot over the header",
      put("keyslots.0.area.offset", "4096"),
      "the header's keyslots.0.area lies from 4096 to 8192: keyslots are between 32768 and 65536",
    ],
    ["a keyslot over the data", put("keyslots.0.area.size", "18446744073709551615"), "the header's keyslots.0.area lies from 32768 to"],
    ["too many keyslots", put("keyslots.32", { area: {} }), "the header has a keyslot 32: expected 0 to 31"],
    ["keyslots that overlap", put("keyslots.1", { area: { offset: "32768", size: "4096" } }), "keyslots 0 and 1 overlap"],
    ["a key of another size", put("keyslots.0.key_size", 33), "segment 0 has a key of 264 bits for aes-xts-plain64"],
  ])("%s", async (_, change, message) => {
    await expect(headerOf(await withJson(change as never))).rejects.toMatchObject({
      code: "EINVAL",
      message: expect.stringContaining(message),
    });
  });

  test.each([
    ["another kind of key derivation", put("keyslots.0.kdf.type", "scrypt"), 'keyslot 0 derives its key by "scrypt"'],
    ["too many iterations", put("keyslots.0.kdf.iterations", 4e9), "keyslot 0 asks for 4000000000 iterations"],
    ["another hash", put("keyslots.0.kdf.hash", "whirlpool"), 'keyslot 0 uses the hash "whirlpool"'],
    ["many stripes", put("keyslots.0.af.stripes", 4e9), "keyslot 0 is split into 4000000000 stripes"],
    ["more than its area", put("keyslots.0.af.stripes", 4000), "keyslot 0 is too small for a key of 64 bytes in 4000 stripes"],
    ["a huge key", put("keyslots.0.key_size", 1e9), "keyslot 0 holds a key of 1000000000 bytes"],
    [
      "Argon2 with too little memory",
      put("keyslots.0.kdf", { type: "argon2id", time: 1, memory: 8, cpus: 4, salt: "AAAAAAAAAAA=" }),
      "keyslot 0 asks for 8 KiB",
    ],
    [
      "Argon2 with too many threads",
      put("keyslots.0.kdf", { type: "argon2i", time: 1, memory: 1e6, cpus: 65, salt: "AAAAAAAAAAA=" }),
      "keyslot 0 asks for 65 threads",
    ],
    [
      "Argon2 that takes for ever",
      put("keyslots.0.kdf", { type: "argon2id", time: 4e9, memory: 1e6, cpus: 1, salt: "AAAAAAAAAAA=" }),
      "keyslot 0 asks for 4000000000 passes",
    ],
  ])("a keyslot that cannot be used: %s", async (_, change, message) => {
    const below = ram(await withJson(change as never));
    await expect(unlocked(below)).rejects.toMatchObject({ code: "EPERM", message: expect.stringContaining(`not tried: ${message}`) });
    await expect(unlocked(below, { keyslot: 0 })).rejects.toMatchObject({ code: "EINVAL", message: expect.stringContaining(message) });
  });

  test("Argon2 that takes more memory than it may", async () => {
    const kdf = { type: "argon2id", time: 1, memory: 2 ** 21, cpus: 4, salt: "AAAAAAAAAAA=" };
    await expect(unlocked(ram(await withJson(put("keyslots.0.kdf", kdf) as never)))).rejects.toMatchObject({
      code: "ENOMEM",
      message: "luks: the keyslot takes 2097152 KiB of memory to open, and maxMemory is 1048576 KiB",
    });
  });

  test("a keyslot that takes too much memory is passed over for one that does not", async () => {
    const bytes = await withJson((metadata: Json) => {
      const { keyslots, digests } = metadata as {
        keyslots: Record<string, Record<string, unknown>>;
        digests: Record<string, Record<string, unknown>>;
      };
      const kdf = { type: "argon2id", time: 1, memory: 2 ** 21, cpus: 4, salt: "AAAAAAAAAAA=" };
      keyslots["1"] = { ...keyslots["0"] };
      keyslots["0"] = { ...keyslots["0"], kdf, area: { ...(keyslots["0"]?.area as object), offset: "36864" } };
      (digests["0"] as Record<string, unknown>).keyslots = ["0", "1"];
    });
    await unlocked(ram(bytes));
    await expect(unlocked(ram(bytes), { passphrase: "wrong" })).rejects.toMatchObject({ code: "ENOMEM" });
  });

  test("1000 changes of values, of all sorts", async () => {
    const draw = new Random(7);
    const values = [
      null,
      true,
      -1,
      0,
      1.5,
      1e300,
      2 ** 53,
      "",
      "0",
      "-1",
      "18446744073709551615",
      "x".repeat(3000),
      "dynamic",
      [],
      ["0"],
      {},
      { "0": {} },
      "__proto__",
    ];
    for (let round = 0; round < 1000; round += 1) {
      const bytes = await withJson((metadata: Json) => {
        for (let times = 1 + draw.below(2); times > 0; times -= 1) mutate(metadata, draw, values);
      });
      const header = await readOrRefused(bytes);
      if (header !== undefined && round % 10 === 0) await openIfQuick(bytes, header);
    }
  });
});

/** Changes, takes away or doubles something somewhere in a document. */
function mutate(root: object, draw: Random, values: readonly unknown[]): void {
  let parent = root as Record<string, unknown>;
  for (;;) {
    const name = draw.of(Object.keys(parent));
    const child = parent[name];
    if (typeof child === "object" && child !== null && Object.keys(child).length > 0 && draw.below(6) > 0) {
      parent = child as Record<string, unknown>;
      continue;
    }
    const kind = draw.below(4);
    if (kind === 0) delete parent[name];
    else if (kind === 1) parent[String(draw.below(40))] = structuredClone(child);
    else parent[name] = draw.of(values);
    return;
  }
}

describe("several segments", () => {
  test("follow each other, each with its own place, IVs and sectors", async () => {
    const header = await readHeader2(await diskOf(two.bytes));
    if (header === undefined) expect.unreachable();
    const metadata = JSON.parse(header.json);
    const segment = metadata.segments["0"];
    metadata.segments = {
      0: { ...segment, offset: "131072", size: "8192", iv_tweak: "1000", sector_size: 4096 },
      1: { ...segment, offset: "65536", size: "1536", iv_tweak: "7" },
      2: { ...segment, flags: ["backup-final"] },
      3: { ...segment, offset: "262144" },
    };
    metadata.digests["0"].segments = ["0", "1", "2", "3"];
    const bytes = two.bytes.slice();
    bytes.set(encodeHeader2({ ...header, json: JSON.stringify(metadata) }, "first"));
    bytes.set(encodeHeader2({ ...header, json: JSON.stringify(metadata) }, "second"), 16_384);
    const below = ram(bytes);
    const disk = await unlocked(below, { allowDiscards: true });
    expect(disk.size).toBe(8192n + 1536n + 65_536n);
    // Across all three, in one write, and no byte anywhere else.
    const content = new Uint8Array(4000).fill(0x5a);
    await disk.write(content, 8000n);
    const target = new Uint8Array(4002);
    await disk.read(target, 7999n);
    expect(Buffer.compare(target.subarray(1, 4001), content)).toBe(0);
    const changed = (from: number, to: number): boolean => Buffer.compare(below.bytes.subarray(from, to), bytes.subarray(from, to)) !== 0;
    expect([changed(65_536, 67_072), changed(135_168, 139_264), changed(262_144, 264_704)]).toEqual([true, true, true]);
    expect([changed(0, 65_536), changed(67_072, 135_168), changed(139_264, 262_144), changed(265_216, bytes.length)]).toEqual([
      false,
      false,
      false,
      false,
    ]);
    await disk.trim(0n, disk.size);
  });
});
