import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { isPromise } from "../../../../src/contract/awaitable.ts";
import { parseEncryption } from "../../../../src/filters/luks/encryption.ts";
import { sectorCipher } from "../../../../src/filters/luks/sector-cipher.ts";
import { BulkCipher } from "../../../../src/filters/luks/threads/bulk-cipher.ts";
import { PLACE, PLACES, SCRIPT, type SharedKey, type ThreadKeys } from "../../../../src/filters/luks/threads/crypto-thread.ts";
import { CryptoThreads } from "../../../../src/filters/luks/threads/crypto-threads.ts";
import { pattern } from "../images.ts";

const ciphers = ["aes-xts-plain64", "aes-xts-plain", "aes-xts-plain64be", "aes-xts-essiv:sha256"] as const;
const LARGE = 64 * 1024;

/** A script whose thread does `instead` in place of its work from the `from`th on. */
function failing(instead: string, from = 1): string {
  return SCRIPT.replace(
    "function work(",
    `let works = 0;\nfunction work(...all) { if (++works >= ${from}) ${instead}; return realWork(...all); }\nfunction realWork(`,
  );
}

interface Made {
  readonly bulk: BulkCipher;
  readonly plain: (direction: "encrypt" | "decrypt", source: Uint8Array, sector: bigint) => Uint8Array;
  readonly key: () => SharedKey | undefined;
  readonly pool: CryptoThreads;
}

/** A cipher with threads that have been started, and the same without. */
async function make({ name = "aes-xts-plain64", keySize = 64, sectorSize = 512, threads = 1, script = SCRIPT } = {}): Promise<Made> {
  let key: SharedKey | undefined;
  class Seen extends CryptoThreads {
    override join(shared: SharedKey): ThreadKeys {
      key = shared;
      return super.join(shared);
    }
  }
  const pool = new Seen(script as string);
  const secret = pattern(keySize, 5);
  const same = (): ReturnType<typeof sectorCipher> => sectorCipher(parseEncryption(name, keySize, "test"), secret, sectorSize);
  const bulk = new BulkCipher(same(), secret, { threads, pool, patience: 0 });
  onTestFinished(() => bulk.wipe());
  // As many requests as make it start all of its threads.
  for (let thread = 0; thread < threads; thread += 1) {
    const waits = Array.from({ length: thread * PLACES + 2 }, () => bulk.encrypt(new Uint8Array(LARGE), new Uint8Array(LARGE), 0n));
    await Promise.all([...waits, pool.started()]);
  }
  const other = same();
  const plain = (direction: "encrypt" | "decrypt", source: Uint8Array, sector: bigint): Uint8Array => {
    const target = new Uint8Array(source.length);
    other[direction](target, source, sector);
    return target;
  };
  return { bulk, plain, key: () => key, pool };
}

describe("threads", () => {
  test.each(ciphers.flatMap((name) => [32, 64].map((keySize) => [name, keySize] as const)))(
    "give what the main thread gives: %s with a key of %i bytes",
    async (name, keySize) => {
      const made = { 512: await make({ name, keySize }), 4096: await make({ name, keySize, sectorSize: 4096, threads: 2 }) };
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(512, 4096),
          fc.array(fc.record({ kib: fc.integer({ min: 14, max: 150 }), at: fc.bigInt(0n, 2n ** 60n), odd: fc.nat(20), seed: fc.nat() }), {
            minLength: 1,
            maxLength: 12,
          }),
          fc.constantFrom("encrypt", "decrypt"),
          fc.boolean(),
          async (sectorSize, requests, direction, inPlace) => {
            const { bulk, plain } = made[sectorSize as 512 | 4096];
            const outcomes = requests.map(async ({ kib, at, odd, seed }) => {
              const sector = at * 8n;
              const source = new Uint8Array(odd + kib * 4096).subarray(odd);
              source.set(pattern(source.length, seed));
              const expected = plain(direction as "encrypt", source, sector);
              const target = inPlace ? source : new Uint8Array(source.length);
              await bulk[direction as "encrypt"](target, source, sector);
              return Buffer.compare(target, expected) === 0;
            });
            expect(await Promise.all(outcomes)).not.toContain(false);
          },
        ),
        { numRuns: 8 },
      );
    },
  );

  test("count sectors on where plain begins at 0 again", async () => {
    const { bulk, plain } = await make({ name: "aes-xts-plain" });
    const source = pattern(PLACE);
    const target = new Uint8Array(PLACE);
    const sector = 2n ** 32n - 200n;
    await bulk.encrypt(target, source, sector);
    expect(Buffer.compare(target, plain("encrypt", source, sector))).toBe(0);
  });

  test("are for large requests: small ones are done at once", async () => {
    const { bulk } = await make();
    const outcomes = [LARGE - 512, LARGE - 512, 2 * LARGE, LARGE, LARGE - 512].map((length) => {
      const bytes = new Uint8Array(length);
      return bulk.encrypt(bytes, bytes, 0n);
    });
    expect(outcomes.map(isPromise)).toEqual([false, false, true, true, false]);
    await Promise.all(outcomes);
  });

  test("leave a request that comes alone to the main thread, or half of it where it is long", async () => {
    const { bulk, plain } = await make();
    for (const [length, shared] of [
      [LARGE, false],
      [2 * LARGE - 512, false],
      [2 * LARGE, true],
      [5 * LARGE - 512, true],
      [20 * LARGE + 512, true],
    ] as const) {
      const source = pattern(length);
      const expected = plain("decrypt", source, 8n);
      const done = bulk.decrypt(source, source, 8n);
      expect(isPromise(done)).toBe(shared);
      // What is done here is done now.
      const own = shared ? Math.floor(length / 2 / LARGE) * LARGE : length;
      expect(Buffer.compare(source.subarray(length - own), expected.subarray(length - own))).toBe(0);
      expect(source.subarray(0, length - own)).toEqual(pattern(length).subarray(0, length - own));
      await done;
      expect(Buffer.compare(source, expected)).toBe(0);
    }
  });

  test("have a bound of what they have under way: the rest is done here, at once", async () => {
    const { bulk } = await make();
    const outcomes = Array.from({ length: PLACES + 3 }, () => {
      const bytes = new Uint8Array(2 * LARGE);
      return bulk.encrypt(bytes, bytes, 0n);
    });
    expect(outcomes.map(isPromise)).toEqual([...Array(PLACES).fill(true), false, false, false]);
    await Promise.all(outcomes);
  });

  test("are not started for a client that only looks", async () => {
    const pool = new CryptoThreads();
    const bulk = new BulkCipher(sectorCipher(parseEncryption("aes-xts-plain64", 64, "test"), pattern(64), 512), pattern(64), {
      threads: 1,
      pool,
    });
    onTestFinished(() => bulk.wipe());
    const bytes = new Uint8Array(1024 * 1024);
    for (let i = 0; i < 4; i += 1) expect(bulk.decrypt(bytes, bytes, 0n)).toBeUndefined();
    await pool.started();
    expect(bulk.decrypt(bytes, bytes, 0n)).toBeUndefined();
    await pool.started();
    const done = bulk.decrypt(bytes, bytes, 0n);
    expect(done).toBeInstanceOf(Promise);
    await done;
  });

  test("keep the process alive only while they work", async () => {
    const { bulk } = await make();
    const workers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Worker" || kind === "MessagePort").length;
    const idle = workers();
    const bytes = new Uint8Array(2 * LARGE);
    const done = bulk.encrypt(bytes, bytes, 0n);
    expect(workers()).toBe(idle + 1);
    await done;
    expect(workers()).toBe(idle);
  });
});

describe("a thread that fails", () => {
  const scripts = {
    "throws at its first work": failing("throw new Error('no')"),
    "throws later": failing("throw new Error('no')", 5),
    "ends at its first work": failing("process.exit(3)"),
    "ends later, having scribbled": failing(
      "{ bytes.fill(1, places + all[1] * stride, places + (all[1] + 1) * stride); process.exit(0); }",
      5,
    ),
    "ends before it starts": "process.exit(1)",
    "cannot be compiled": "}",
    "cannot be started": 4711 as unknown as string,
  };
  test.each(Object.entries(scripts))("and %s loses nothing: the main thread does it", async (_, script) => {
    const { bulk, plain } = await make({ script, threads: 2 });
    for (let round = 0; round < 3; round += 1) {
      const outcomes = Array.from({ length: 20 }, async (_, index) => {
        const source = pattern(LARGE * (1 + (index % 6)), index);
        const expected = plain("decrypt", source, BigInt(index * 1000));
        await bulk.decrypt(source, source, BigInt(index * 1000));
        return Buffer.compare(source, expected) === 0;
      });
      expect(await Promise.all(outcomes)).toEqual(Array(20).fill(true));
    }
  });
});

describe("wiping", () => {
  test("with requests under way lets them finish, and overwrites the key", async () => {
    const { bulk, plain, key } = await make();
    const source = pattern(PLACE * 3);
    const expected = plain("encrypt", source, 8n);
    const targets = Array.from({ length: 6 }, () => new Uint8Array(source.length));
    const outcomes = targets.map((target) => bulk.encrypt(target, source, 8n));
    expect(key()?.some((byte) => byte !== 0)).toBe(true);
    await bulk.wipe();
    for (const target of targets) expect(Buffer.compare(target, expected)).toBe(0);
    expect(key()?.every((byte) => byte === 0)).toBe(true);
    await Promise.all(outcomes);
  });

  test("requests that come later are answered, without threads", async () => {
    const { bulk, plain } = await make();
    await bulk.wipe();
    const source = pattern(PLACE);
    const expected = plain("decrypt", source, 8n);
    expect(bulk.decrypt(source, source, 8n)).toBeUndefined();
    expect(Buffer.compare(source, expected)).toBe(0);
  });

  test("leaves the threads to other disks, and the last one ends them", async () => {
    const { bulk, plain, pool } = await make();
    const secret = pattern(64, 77);
    const other = new BulkCipher(sectorCipher(parseEncryption("aes-xts-plain64", 64, "test"), secret, 512), secret, {
      threads: 1,
      pool,
      patience: 0,
    });
    const [source, target] = [pattern(PLACE), new Uint8Array(PLACE)];
    await other.encrypt(target, source, 0n);
    expect(Buffer.compare(target, plain("encrypt", source, 0n))).not.toBe(0);
    await other.wipe();
    const again = bulk.encrypt(target, source, 0n);
    expect(again).toBeInstanceOf(Promise);
    await again;
    expect(Buffer.compare(target, plain("encrypt", source, 0n))).toBe(0);
    expect(pool.size).toBe(1);
    await bulk.wipe();
    expect(pool.size).toBe(0);
  });
});
