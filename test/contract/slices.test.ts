import { describe, expect, test } from "vitest";
import type { Awaitable, BlockSize } from "../../src/contract/index.ts";
import { slices } from "../../src/contract/slices.ts";

const MiB = 1024n * 1024n;
const open = (): void => undefined;

/** Where the slices of a range lie. */
function collect(
  offset: bigint,
  length: bigint,
  answer: () => Awaitable<void>,
  blockSize?: BlockSize,
): { list: [bigint, number][]; done: Awaitable<void> } {
  const list: [bigint, number][] = [];
  const step = (buffer: Uint8Array, at: bigint): Awaitable<void> => {
    list.push([at, buffer.length]);
    return answer();
  };
  return { list, done: slices(offset, length, blockSize, step, open) };
}

describe.each([
  ["at once", (): void => undefined],
  ["later", async (): Promise<void> => undefined],
] as const)("steps that answer %s", (_, answer) => {
  test.each([1n, 4096n, MiB - 1n, MiB, MiB + 1n, 3n * MiB + 7n, 130n * MiB + 1n])("cover %d bytes once, in order", async (length) => {
    const { list, done } = collect(5n, length, answer);
    await done;
    let at = 5n;
    for (const [offset, bytes] of list) {
      expect(offset).toBe(at);
      expect(bytes).toBeLessThanOrEqual(Number(MiB));
      at += BigInt(bytes);
    }
    expect(at).toBe(5n + length);
  });

  test("are no longer than the disk's largest request", async () => {
    const { list, done } = collect(0n, 10_000n, answer, { minimum: 1, preferred: 512, maximum: 4096 });
    await done;
    expect(list).toEqual([
      [0n, 4096],
      [4096n, 4096],
      [8192n, 1808],
    ]);
  });
});

test("up to 64 MiB of synchronous steps are done at once; then others get a turn", async () => {
  expect(collect(0n, 64n * MiB, open).done).toBeUndefined();
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  const { list, done } = collect(0n, 64n * MiB + 1n, open);
  expect(list).toHaveLength(64);
  await done;
  expect(turned).toBe(true);
  expect(list).toHaveLength(65);
});

test("a step that fails, at once or later, ends the work", async () => {
  for (const failAt of [1, 3]) {
    for (const later of [false, true]) {
      let calls = 0;
      const work = async () =>
        slices(
          0n,
          10n * MiB,
          undefined,
          () => {
            calls += 1;
            if (calls !== failAt) return undefined;
            if (later) return Promise.reject(new Error("full"));
            throw new Error("full");
          },
          open,
        );
      await expect(work()).rejects.toThrow("full");
      expect(calls).toBe(failAt);
    }
  }
});

test("a long range ends when the disk is closed meanwhile", async () => {
  let calls = 0;
  const work = slices(
    0n,
    2n ** 62n,
    undefined,
    async () => {
      calls += 1;
    },
    () => {
      if (calls === 10) throw new Error("closed");
    },
  );
  await expect(work).rejects.toThrow("closed");
  expect(calls).toBe(10);
});
