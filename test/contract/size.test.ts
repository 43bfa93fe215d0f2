import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { DiskError, MAX_SIZE, parseSize } from "../../src/contract/index.ts";
import { describeWith } from "../fixtures/tools.ts";

const accepted: readonly [string, bigint][] = [
  ["0", 0n],
  ["512", 512n],
  ["1b", 1n],
  ["3s", 1536n],
  ["3S", 1536n],
  ["1k", 1024n],
  ["1K", 1024n],
  ["1M", 2n ** 20n],
  ["2g", 2n ** 31n],
  ["2T", 2n ** 41n],
  ["1p", 2n ** 50n],
  ["7E", 7n * 2n ** 60n],
  ["+5", 5n],
  ["010", 10n],
  [" 5", 5n],
  ["9223372036854775807", 2n ** 63n - 1n],
];

const refused = ["", " ", "8E", "9223372036854775808", "-1", "1.5M", "0x10", "5 kB", "5kB", "1KiB", "5 ", "1 k", "k", "1e3", "1_000"];

test.each(accepted)("%j is %d bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(refused)("%j is refused", (text) => {
  expect(() => parseSize(text)).toThrow(DiskError);
});

test("numbers and bigints are bytes", () => {
  expect(parseSize(4096)).toBe(4096n);
  expect(parseSize(7n)).toBe(7n);
  expect(parseSize(MAX_SIZE)).toBe(2n ** 63n - 1n);
});

test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])("the number %d is refused", (value) => {
  expect(() => parseSize(value)).toThrow(DiskError);
});

test("what is neither a string nor a number is refused, not converted", () => {
  for (const value of [null, undefined, {}, [5], true]) expect(() => parseSize(value as never)).toThrow(/expected bytes/);
});

test("an error names the option, the value and what is allowed", () => {
  expect(() => parseSize("8E", "range")).toThrow('range "8E": the largest is 2^63-1 bytes, just under 8E');
  expect(() => parseSize("-1k")).toThrow('size "-1k": it is negative');
  expect(() => parseSize("5 kB")).toThrow('size "5 kB": expected bytes, or a number with a suffix: "4096", "64k", "1G", "3s" (sectors)');
  expect(() => parseSize(2 ** 60)).toThrow("use a bigint or a string");
});

describeWith(["nbdkit", "nbdinfo"], "as nbdkit does it", () => {
  const nbdkit = (size: string): string =>
    execFileSync("nbdkit", ["null", `size=${size}`, "--run", 'nbdinfo --size "$uri"'], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });

  test.each(["1b", "3s", "3S", "1k", "7E", "+5", "010", " 5", "9223372036854775807"])("%j is the same size", (text) => {
    expect(nbdkit(text).trim()).toBe(String(parseSize(text)));
  });

  test.each(["", "8E", "9223372036854775808", "-1", "1.5M", "0x10", "5 kB", "1KiB", "5 ", "1 k"])("%j is refused", (text) => {
    expect(() => nbdkit(text)).toThrow();
    expect(() => parseSize(text)).toThrow(DiskError);
  });
});
