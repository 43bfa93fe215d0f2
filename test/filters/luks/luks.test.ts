import { describe, expect, onTestFinished, test } from "vitest";
import { openDisk, pipe } from "../../../src/contract/index.ts";
import { cryptoThreads } from "../../../src/filters/luks/threads/crypto-threads.ts";
import { type LuksOptions, luks } from "../../../src/filters/luks.ts";
import { type Call, classRam, fail, faulty, hold, ram, recorded, testFilter } from "../../../src/testing/index.ts";
import { deferred } from "../../fixtures/deferred.ts";
import { contentOf, PASSPHRASE, pattern, small1, small2, unlocked } from "./images.ts";
import { reference } from "./reference.ts";

const one = await small1();
const two = await small2({ sectorSize: 4096 });
const essiv = await small1({ cipher: "aes-cbc-essiv:sha256", keySize: 32 });
const PAYLOAD = 65_536;

describe("the contract", () => {
  const disks = {
    LUKS1: { ...one, cipher: "aes-xts-plain64", sectorSize: 512 },
    "LUKS1 with CBC": { ...essiv, cipher: "aes-cbc-essiv:sha256", sectorSize: 512 },
    "LUKS2 with large sectors": { ...two, cipher: "aes-xts-plain64", sectorSize: 4096 },
  };
  for (const [name, { bytes, key, cipher, sectorSize }] of Object.entries(disks)) {
    testFilter({
      test,
      name,
      filter: () => luks({ passphrase: PASSPHRASE, allowDiscards: true }),
      content: bytes,
      model: (below) => reference("decrypt", below.subarray(PAYLOAD), { cipher, key, sectorSize }),
      ...(name !== "LUKS1" && { routes: ["directly"] as const }),
    });
  }
});

describe("what is shown of the disk", () => {
  test("is what comes after the header, in whole sectors", async () => {
    const disk = await unlocked(ram(Buffer.concat([one.bytes, Buffer.alloc(511)])));
    expect(disk.size).toBe(256n * 1024n);
    const large = await unlocked(ram(two.bytes.subarray(0, two.bytes.length - 512)));
    expect(large.size).toBe(252n * 1024n);
  });

  test("takes any range and says that it likes 4096 bytes", async () => {
    const disk = await unlocked(ram(one.bytes));
    expect(disk.blockSize).toEqual({ minimum: 1, preferred: 4096, maximum: 0xffffffff });
  });

  test("has no holes, as a hole below does not read as zeroes", async () => {
    const disk = await unlocked(ram(Buffer.concat([one.bytes, Buffer.alloc(65_536)])));
    expect(disk.capabilities).toMatchObject({ extents: false, zero: false, fastZero: false, trimZeroes: false, views: false });
    expect(await disk.extents(0n, disk.size)).toEqual([{ offset: 0n, length: disk.size, hole: false, zero: false }]);
    const sector = new Uint8Array(512);
    await disk.read(sector, disk.size - 512n);
    expect(sector.some((byte) => byte !== 0)).toBe(true);
  });

  test("may be empty", async () => {
    const disk = await unlocked(ram(one.bytes.subarray(0, PAYLOAD)));
    expect(disk.size).toBe(0n);
  });
});

describe("writing", () => {
  test("zeroes are encrypted like everything else", async () => {
    const below = ram(one.bytes);
    const disk = await unlocked(below);
    await disk.zero(1024n, 2048n);
    const target = new Uint8Array(2048).fill(1);
    await disk.read(target, 1024n);
    expect(target).toEqual(new Uint8Array(2048));
    expect(below.bytes.subarray(PAYLOAD + 1024, PAYLOAD + 3072).filter((byte) => byte === 0).length).toBeLessThan(100);
  });

  test("of whole sectors is one write below and reads nothing", async () => {
    const calls: Call[] = [];
    const disk = await openDisk(pipe(ram(one.bytes), recorded("below", calls), luks({ passphrase: PASSPHRASE })));
    calls.length = 0;
    await disk.write(pattern(300 * 512), 1024n);
    expect(calls.map(String)).toEqual([`below: write ${300 * 512} at ${PAYLOAD + 1024}`]);
    await disk.close();
  });

  test("of parts of sectors reads those, and is one write below", async () => {
    const calls: Call[] = [];
    const disk = await openDisk(pipe(ram(one.bytes), recorded("below", calls), luks({ passphrase: PASSPHRASE })));
    calls.length = 0;
    await disk.write(pattern(1100), 1000n);
    expect(calls.map(String)).toEqual([
      `below: read 512 at ${PAYLOAD + 512}`,
      `below: read 512 at ${PAYLOAD + 2048}`,
      `below: write 2048 at ${PAYLOAD + 512}`,
    ]);
    await disk.close();
  });

  test("leaves the header alone, whatever is written", async () => {
    const below = ram(one.bytes);
    const disk = await unlocked(below);
    await disk.write(pattern(Number(disk.size)), 0n);
    expect(Buffer.compare(below.bytes.subarray(0, PAYLOAD), one.bytes.subarray(0, PAYLOAD))).toBe(0);
  });

  test("parts of one sector at the same time keeps each of them", async () => {
    for (const below of [ram(one.bytes), classRam(one.bytes)]) {
      const disk = await unlocked(below);
      const expected = await contentOf(disk);
      // Every byte by itself, and whole sectors between them, all under way at once, from two clients.
      const another = await openDisk(pipe(below, luks({ passphrase: PASSPHRASE })));
      await another.close();
      const writes: Promise<void>[] = [];
      for (let i = 0; i < 600; i += 1) {
        const [offset, bytes] = i % 100 === 50 ? [512, pattern(1024, i)] : [(i * 97) % 2000, pattern(1 + (i % 40), i)];
        expected.set(bytes, offset);
        writes.push((async () => disk.write(bytes, BigInt(offset)))());
      }
      await Promise.all(writes);
      expect(Buffer.compare(await contentOf(disk), expected)).toBe(0);
    }
  });

  test("a whole sector waits for a part of it that is being written, and others do not", async () => {
    const held = hold("write", { at: BigInt(PAYLOAD) });
    const calls: Call[] = [];
    const disk = await openDisk(pipe(classRam(one.bytes), faulty(held), recorded("below", calls), luks({ passphrase: PASSPHRASE })));
    const part = disk.write(pattern(10), 5n);
    await held.arrived;
    calls.length = 0;
    const whole = disk.write(new Uint8Array(512).fill(9), 0n);
    await disk.write(new Uint8Array(512), 512n);
    expect(calls.map(String)).toEqual([`below: write 512 at ${PAYLOAD + 512}`]);
    held.release();
    await Promise.all([part, whole]);
    const target = new Uint8Array(512);
    await disk.read(target, 0n);
    expect(target).toEqual(new Uint8Array(512).fill(9));
    await disk.close();
  });

  test("after one that failed goes on", async () => {
    const disk = await openDisk(pipe(classRam(one.bytes), faulty(fail("write", { times: 1, nth: 1 })), luks({ passphrase: PASSPHRASE })));
    const outcomes = await Promise.allSettled([disk.write(pattern(10), 5n), disk.write(pattern(10), 20n), disk.write(pattern(512), 0n)]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
    await disk.close();
  });
});

describe("trimming", () => {
  test("is not there unless it is allowed", async () => {
    expect((await unlocked(ram(one.bytes))).capabilities.trim).toBe(false);
    expect((await unlocked(ram(one.bytes), { allowDiscards: true })).capabilities.trim).toBe(true);
  });

  test("reaches the whole sectors of the range and no part of others", async () => {
    const calls: Call[] = [];
    const disk = await openDisk(pipe(ram(one.bytes), recorded("below", calls), luks({ passphrase: PASSPHRASE, allowDiscards: true })));
    calls.length = 0;
    await disk.trim(100n, 2000n);
    await disk.trim(100n, 500n);
    expect(calls.map(String)).toEqual([`below: trim 1536 at ${PAYLOAD + 512}`]);
    await disk.close();
  });
});

describe("a disk below that wants whole blocks", () => {
  test("gets them, when the header is read as well", async () => {
    const blocks = (below = ram(one.bytes)) => ({
      name: "blocks",
      async open() {
        const disk = await openDisk(below);
        const check = (offset: bigint, length: number): void => {
          if (offset % 4096n !== 0n || length % 4096 !== 0) throw new Error(`${length} at ${offset}`);
        };
        return {
          size: disk.size,
          blockSize: { minimum: 4096, preferred: 4096, maximum: 8192 },
          read(target: Uint8Array, offset: bigint) {
            check(offset, target.length);
            return disk.read(target, offset);
          },
          write(source: Uint8Array, offset: bigint) {
            check(offset, source.length);
            return disk.write(source, offset);
          },
        };
      },
    });
    const disk = await openDisk(pipe(blocks(), luks({ passphrase: PASSPHRASE })));
    onTestFinished(() => disk.close());
    await disk.write(Buffer.from("hello"), 4094n);
    const target = Buffer.alloc(5);
    await disk.read(target, 4094n);
    expect(target.toString()).toBe("hello");
  });
});

describe("opening", () => {
  test.each([one, two])("with another passphrase is refused with EPERM, and says nothing of either", async ({ bytes }) => {
    const error = await unlocked(ram(bytes), { passphrase: "battery staple" }).catch((reason) => reason);
    expect(error).toMatchObject({
      name: "DiskError",
      code: "EPERM",
      message: "luks: keyslot 0 does not open with this passphrase",
    });
    expect(JSON.stringify(error) + error.stack).not.toMatch(/battery|horse/);
  });

  test("derives the key once, however many clients come, and again when the plugin has closed", async () => {
    let asked = 0;
    const plugin = pipe(
      ram(one.bytes),
      luks({
        passphrase() {
          asked += 1;
          return PASSPHRASE;
        },
      }),
    );
    const disks = await Promise.all([openDisk(plugin), openDisk(plugin), openDisk(plugin)]);
    expect(asked).toBe(1);
    for (const disk of disks) await disk.close();
    const again = await openDisk(plugin);
    expect(asked).toBe(2);
    expect(
      Buffer.compare(
        await contentOf(again),
        reference("decrypt", one.bytes.subarray(PAYLOAD), { cipher: "aes-xts-plain64", key: one.key }),
      ),
    ).toBe(0);
    await again.close();
  });

  test("asks for the passphrase again after a wrong one", async () => {
    const answers = ["wrong", PASSPHRASE];
    const plugin = pipe(ram(one.bytes), luks({ passphrase: () => answers.shift() as string }));
    await expect(openDisk(plugin)).rejects.toMatchObject({ code: "EPERM" });
    await (await openDisk(plugin)).close();
  });

  test("ends when the client goes, and does not take others with it", async () => {
    const controller = new AbortController();
    let fetch: ((passphrase: string) => void) | undefined;
    const asked = deferred<void>();
    const plugin = pipe(
      ram(one.bytes),
      luks({
        passphrase: () =>
          new Promise((resolve) => {
            fetch = resolve;
            asked.resolve();
          }),
      }),
    );
    const leaving = openDisk(plugin, { signal: controller.signal });
    await asked.promise;
    const staying = openDisk(plugin);
    // The second client has come as far as the first once its header is read.
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error("gone"));
    await expect(leaving).rejects.toThrow("gone");
    fetch?.(PASSPHRASE);
    await (await staying).close();
  });

  test("serves exports that are different disks, each with its own key", async () => {
    const disks: Record<string, ReturnType<typeof ram>> = { one: ram(one.bytes), two: ram(two.bytes) };
    const plugin = pipe(
      { name: "both", open: ({ exportName }) => openDisk(disks[exportName] as ReturnType<typeof ram>) },
      luks({ passphrase: PASSPHRASE }),
    );
    for (const exportName of ["one", "two", "one"]) {
      const disk = await openDisk(plugin, { exportName });
      expect(disk.size).toBe(256n * 1024n);
      await disk.close();
    }
  });

  test("leaves the app's own passphrase bytes alone", async () => {
    const passphrase = Buffer.from(PASSPHRASE);
    await unlocked(ram(one.bytes), { passphrase });
    expect(passphrase.toString()).toBe(PASSPHRASE);
  });
});

describe("options", () => {
  test.each([
    [undefined, /luks: passphrase: expected a string/],
    [{}, /luks: passphrase: expected a string/],
    [{ passphrase: 4711 }, /luks: passphrase: expected a string.*not number/],
    [{ passphrase: "", keyslot: 32 }, /luks: keyslot 32: expected a whole number from 0 to 31/],
    [{ passphrase: "", keyslot: 1.5 }, /keyslot 1.5/],
    [{ passphrase: "", allowDiscards: "yes" }, /allowDiscards yes: expected true or false/],
    [{ passphrase: "", maxMemory: "1X" }, /luks: maxMemory "1X"/],
    [{ passphrase: "", maxMemory: "4G" }, /expected less than 4G/],
    [{ passphrase: "", threads: -1 }, /luks: threads -1: expected a whole number from 0 to 64/],
    [{ passphrase: "", threads: 1.5 }, /luks: threads 1.5/],
  ])("%o is refused", (options, text) => {
    expect(() => luks(options as unknown as LuksOptions)).toThrow(text);
  });
});

describe("threads", () => {
  test("answer requests that are under way when the disk closes", async () => {
    const big = await small1({ payload: 1024 * 1024 });
    const plain = reference("decrypt", big.bytes.subarray(PAYLOAD), { cipher: "aes-xts-plain64", key: big.key });
    const disk = await openDisk(pipe(classRam(big.bytes), luks({ passphrase: PASSPHRASE, threads: 2 })));
    // Threads are started by the fifth, and take part once they are there.
    for (let i = 0; i < 20; i += 1) await contentOf(disk);
    await cryptoThreads.started();
    const target = Buffer.alloc(1024 * 1024);
    const reading = disk.read(target, 0n);
    await disk.close();
    await reading;
    expect(Buffer.compare(target, plain)).toBe(0);
    expect(cryptoThreads.size).toBe(0);
  });

  test("write what the main thread writes", async () => {
    const big = await small1({ payload: 1024 * 1024 });
    const disk = await unlocked(ram(big.bytes), { threads: 1 });
    for (let i = 0; i < 5; i += 1) await contentOf(disk);
    await cryptoThreads.started();
    const written = pattern(1024 * 1024 - 1000, 3);
    const writes = [0, 1, 2].map(async (part) => {
      await disk.write(written.subarray(part * 300_000, Math.min((part + 1) * 300_000, written.length)), 700n + BigInt(part * 300_000));
    });
    await Promise.all(writes);
    expect(Buffer.compare((await contentOf(disk)).subarray(700, 900_700), written.subarray(0, 900_000))).toBe(0);
    expect(cryptoThreads.size).toBe(1);
  });

  test("none are started where none are wanted", async () => {
    const big = await small1({ payload: 1024 * 1024 });
    const disk = await unlocked(ram(big.bytes), { threads: 0 });
    for (let i = 0; i < 6; i += 1) await contentOf(disk);
    expect(cryptoThreads.size).toBe(0);
  });
});
