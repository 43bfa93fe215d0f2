import { describe, expect, test, vi } from "vitest";
import { type Connection, complete, DiskError, type ZeroFlags, zeroFlags } from "../../src/contract/index.ts";
import { over, pattern, thrownBy } from "./fixtures.ts";

const MiB = 1024 * 1024;
const zeroes = new Uint8Array(MiB);
const fast = zeroFlags(false, false, true);
const plain = zeroFlags(false, false, false);
const unsupported = (): never => {
  throw new DiskError("ENOTSUP", "not here");
};

/** A disk so large that only a record of what was zeroed can be kept: merged, as [start, end). */
function recorded(more: Partial<Connection> = {}) {
  const zeroed: [bigint, bigint][] = [];
  const write = vi.fn((source: Uint8Array, offset: bigint) => {
    if (Buffer.compare(source, zeroes.subarray(0, source.length)) !== 0) throw new Error("zeroing wrote something else than zeroes");
    const last = zeroed.at(-1);
    if (last?.[1] === offset) last[1] += BigInt(source.length);
    else zeroed.push([offset, offset + BigInt(source.length)]);
  });
  const disk = complete({ size: 2n ** 62n, read: () => undefined, write, flush: vi.fn(), ...more });
  return { disk, zeroed, write };
}

describe("without a zero() of its own, a disk is zeroed by writing zeroes", () => {
  test("over exactly the range", () => {
    const bytes = pattern(1000);
    expect(complete(over(bytes)).zero(100n, 800n)).toBeUndefined();
    expect(bytes.subarray(0, 100)).toEqual(pattern(1000).subarray(0, 100));
    expect(bytes.subarray(100, 900)).toEqual(new Uint8Array(800));
    expect(bytes.subarray(900)).toEqual(pattern(1000).subarray(900));
  });

  test.each([64 * MiB - 1, 64 * MiB, 64 * MiB + 1, 200 * MiB + 3])("over %d bytes, none of which is forgotten", async (length) => {
    const { disk, zeroed } = recorded();
    await disk.zero(7n, BigInt(length));
    expect(zeroed).toEqual([[7n, 7n + BigInt(length)]]);
  });

  test("over more than 64 MiB with answers that come later", async () => {
    let end = 0n;
    const { disk } = recorded({
      write: async (source, offset) => {
        expect(offset).toBe(end);
        end += BigInt(source.length);
      },
    });
    await disk.zero(0n, 100n * BigInt(MiB) + 5n);
    expect(end).toBe(100n * BigInt(MiB) + 5n);
  });

  test("in writes no longer than the disk takes", async () => {
    const { disk, write, zeroed } = recorded({ blockSize: { minimum: 512, preferred: 4096, maximum: 8192 } });
    await disk.zero(0n, 20_480n);
    expect(write.mock.calls.map(([source]) => source.length)).toEqual([8192, 8192, 4096]);
    expect(zeroed).toEqual([[0n, 20480n]]);
  });

  test("with FUA as one flush at the end, or on every write where the connection heeds it", async () => {
    const flush = vi.fn();
    const emulated = recorded({ flush });
    await emulated.disk.zero(0n, 3n * BigInt(MiB), zeroFlags(true, false, false));
    expect(flush).toHaveBeenCalledOnce();
    const fuas: boolean[] = [];
    const native = recorded({ traits: { fua: "native" }, write: (_source, _offset, flags) => void fuas.push(flags.fua) });
    await native.disk.zero(0n, 3n * BigInt(MiB), zeroFlags(true, false, false));
    expect(fuas).toEqual([true, true, true]);
  });
});

describe("trimming stands in for a missing zero()", () => {
  const trimZeroes = { trimZeroes: true };

  test("where what is trimmed reads as zeroes", () => {
    const trim = vi.fn();
    const { disk, write } = recorded({ trim, traits: trimZeroes });
    disk.zero(5n, 10n);
    expect(trim).toHaveBeenCalledExactlyOnceWith(5n, 10n, { fua: false });
    expect(write).not.toHaveBeenCalled();
  });

  test("not where it need not, nor where the range must stay allocated", () => {
    const trim = vi.fn();
    const unsure = recorded({ trim });
    unsure.disk.zero(5n, 10n);
    const noHole = recorded({ trim, traits: trimZeroes });
    noHole.disk.zero(5n, 10n, zeroFlags(false, true, false));
    expect(trim).not.toHaveBeenCalled();
    expect(unsure.zeroed).toEqual([[5n, 15n]]);
    expect(noHole.zeroed).toEqual([[5n, 15n]]);
  });

  test("and writing for trimming, where that is refused with ENOTSUP", async () => {
    const { disk, zeroed } = recorded({ trim: unsupported, traits: trimZeroes });
    await disk.zero(5n, 10n);
    expect(zeroed).toEqual([[5n, 15n]]);
  });
});

describe("a zero() of the disk's own", () => {
  test("gets the range and the flags", () => {
    const calls: [bigint, bigint, ZeroFlags][] = [];
    const { disk } = recorded({ zero: (...call) => void calls.push(call), traits: { fua: "native", fastZero: true } });
    disk.zero(0n, 1n);
    disk.zero(1n, 2n, zeroFlags(true, true, true));
    expect(calls).toEqual([
      [0n, 1n, plain],
      [1n, 2n, zeroFlags(true, true, true)],
    ]);
  });

  test("loses FUA alone when that is emulated", () => {
    const zero = vi.fn();
    recorded({ zero, traits: { fastZero: true } }).disk.zero(0n, 1n, zeroFlags(true, true, true));
    expect(zero).toHaveBeenCalledExactlyOnceWith(0n, 1n, zeroFlags(false, true, true));
  });

  test.each<[string, () => Promise<void> | undefined]>([
    ["at once", unsupported],
    ["later", async () => unsupported()],
    ["as Node's own EOPNOTSUPP", () => Promise.reject(Object.assign(new Error("no"), { code: "EOPNOTSUPP" }))],
  ])("that refuses with ENOTSUP %s is helped by writing over all of the range", async (_, zero) => {
    const { disk, zeroed } = recorded({ zero });
    await disk.zero(3n, 130n * BigInt(MiB));
    expect(zeroed).toEqual([[3n, 3n + 130n * BigInt(MiB)]]);
  });

  test("that fails otherwise fails", async () => {
    for (const zero of [
      () => {
        throw new DiskError("EIO", "no");
      },
      () => Promise.reject(new DiskError("EIO", "no")),
    ]) {
      const { disk, write } = recorded({ zero });
      expect(await thrownBy(() => disk.zero(0n, 1n))).toMatchObject({ code: "EIO" });
      expect(write).not.toHaveBeenCalled();
    }
  });

  test("stays synchronous", () => {
    expect(recorded({ zero: () => undefined }).disk.zero(0n, 1n)).toBeUndefined();
    expect(recorded({ zero: unsupported }).disk.zero(0n, 1n)).toBeUndefined();
  });
});

describe("fast zeroing", () => {
  test.each<[string, Partial<Connection>]>([
    ["without a zero()", {}],
    ["with a zero() that was not said to heed it", { zero: () => undefined }],
    ["with trimming alone", { trim: () => undefined, traits: { trimZeroes: true, fastZero: true } }],
  ])("is refused with ENOTSUP %s", async (_, more) => {
    const { disk, write } = recorded(more);
    expect(await thrownBy(() => disk.zero(0n, 1n, fast))).toMatchObject({ code: "ENOTSUP" });
    expect(write).not.toHaveBeenCalled();
  });

  test.each([false, true])("that zero() refuses is not done by writing (answering later: %s)", async (later) => {
    const { disk, write } = recorded({ zero: later ? async () => unsupported() : unsupported, traits: { fastZero: true } });
    expect(await thrownBy(() => disk.zero(0n, 1n, fast))).toMatchObject({ code: "ENOTSUP" });
    expect(write).not.toHaveBeenCalled();
  });
});
