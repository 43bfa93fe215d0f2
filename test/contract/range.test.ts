import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_SIZE } from "../../src/contract/index.ts";
import { rangeCheck } from "../../src/contract/range.ts";

const largestNumber = BigInt(Number.MAX_SAFE_INTEGER);
const sizes = [0n, 1n, 512n, 2n ** 32n + 1n, largestNumber - 1n, largestNumber, largestNumber + 1n, 2n ** 60n, MAX_SIZE];

describe.each(sizes)("on a disk of %d bytes", (size) => {
  const check = rangeCheck(size);
  const refused = (offset: bigint, length: bigint | number): boolean => {
    try {
      check("EINVAL", "read", offset, length);
      return false;
    } catch (error) {
      expect(error).toMatchObject({ code: "EINVAL" });
      return true;
    }
  };

  test("all of it, nothing, and nothing at its end are on the disk", () => {
    expect(refused(0n, size)).toBe(false);
    expect(refused(0n, 0)).toBe(false);
    expect(refused(size, 0n)).toBe(false);
    expect(refused(size, 0)).toBe(false);
    if (size > 0n) expect(refused(size - 1n, 1)).toBe(false);
  });

  test("one byte too many, or before the start, is not", () => {
    expect(refused(size, 1)).toBe(true);
    expect(refused(size, 1n)).toBe(true);
    expect(refused(size + 1n, 0)).toBe(true);
    expect(refused(0n, size + 1n)).toBe(true);
    expect(refused(-1n, 1)).toBe(true);
    expect(refused(1n, -1n)).toBe(true);
    expect(refused(2n ** 64n, 2n ** 64n)).toBe(true);
  });

  test("numbers and bigints come to the same answer near the end", () => {
    const near = fc.bigInt({ min: -3n, max: 3n });
    fc.assert(
      fc.property(near, near, (a, b) => {
        const offset = size + a;
        const length = b < 0n ? -b : b;
        const expected = offset < 0n || offset + length > size;
        expect(refused(offset, length)).toBe(expected);
        expect(refused(offset, Number(length))).toBe(expected);
      }),
    );
  });

  test("any range is judged as exact arithmetic does", () => {
    const any = fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n });
    fc.assert(
      fc.property(any, any, (offset, length) => {
        expect(refused(offset, length)).toBe(offset < 0n || length < 0n || offset + length > size);
      }),
    );
  });

  test("what is no range is refused: a number for an offset, the length of what is no Uint8Array", () => {
    expect(() => check("EINVAL", "read", 0 as never, 0)).toThrow("cannot read: offset 0 is no bigint");
    expect(() => check("EINVAL", "read", undefined as never, 0)).toThrow("offset undefined is no bigint");
    expect(() => check("EINVAL", "read", 0n, new ArrayBuffer(8) as never)).toThrow("expected a Uint8Array");
    expect(() => check("EINVAL", "read", 0n, undefined as never)).toThrow("a length of undefined");
  });
});

test("the error has the code it was to have and says which bytes on what disk", () => {
  expect(() => rangeCheck(1024n)("ENOSPC", "write", 1000n, 25)).toThrow(
    expect.objectContaining({ code: "ENOSPC", message: "cannot write: 25 bytes at 1000 are not on the disk (1024 bytes)" }),
  );
});
