// The pattern plugin.

import { describe, expect, it, test } from "vitest";
import { openDisk, pattern } from "../../src/index.ts";
import { testPlugin } from "../../src/testing/index.ts";
import { expectBothRefuse, expectSame, expectSameOffer } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

/** The slow way. */
function expected(offset: bigint, length: number): Buffer {
  const first = offset - (offset % 8n);
  const words = Buffer.alloc(length + 16);
  for (let i = 0; i + 8 <= words.length; i += 8) words.writeBigUInt64BE(first + BigInt(i), i);
  return words.subarray(Number(offset % 8n), Number(offset % 8n) + length);
}

describe("pattern", () => {
  testPlugin({ test, factory: () => pattern(1_000_001), content: expected(0n, 1_000_001), expect: { write: false, multiConn: true } });

  it("is the same in pieces of any size and place", async () => {
    await using disk = await openDisk(pattern(2n ** 63n - 1n));
    for (const base of [0n, 2n ** 32n - 40n, 2n ** 53n - 40n, 2n ** 62n]) {
      for (let start = 0n; start < 9n; start += 1n) {
        for (const length of [1, 2, 7, 8, 9, 15, 16, 17, 64, 100]) {
          const target = Buffer.alloc(length);
          await disk.read(target, base + start);
          expect(target.equals(expected(base + start, length)), `${length} at ${base + start}`).toBe(true);
        }
      }
    }
    const end = Buffer.alloc(7);
    await disk.read(end, disk.size - 7n);
    expect(end.toString("hex")).toBe("7ffffffffffffff8".slice(0, 14));
  });

  it("refuses what is no size", () => {
    expect(() => pattern(-1)).toThrow("size -1");
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "pattern and nbdkit's", () => {
  it.each([["1M"], ["1000001"], ["7"], ["0"]])("show the same bytes: %s", async (size) => {
    await expectSame(["pattern", size]);
  });

  it.each([["4294967000"], ["9223372036854775000"]])("show the same bytes from %s on", async (offset) => {
    await expectSame(["--filter=offset", "pattern", "9223372036854775807", `offset=${offset}`, "range=777"]);
  });

  it("offer the same", async () => {
    await expectSameOffer(["pattern", "1M"]);
  });

  it("refuse sizes that are none", async () => {
    await expectBothRefuse(["pattern", "size=x"]);
  });
});
