// Error numbers: the document allows eight, and two of them in answer to certain requests alone.

import { describe, expect, it } from "vitest";
import { DiskError } from "../../src/contract/index.ts";
import { codeOf, defaultText, errorNumber } from "../../src/protocol/errors.ts";
import * as wire from "../client/wire.ts";
import { transmitting } from "../fixtures/raw-client.ts";
import { recorder } from "../fixtures/recorder.ts";

const EINVAL = 22;
const DF = 4;

/** Every code that means something to us, and its number on the wire. */
const numbers: readonly [code: string, number: number][] = [
  ["EPERM", 1],
  ["EROFS", 1],
  ["EACCES", 1],
  ["EIO", 5],
  ["ENOMEM", 12],
  ["EINVAL", 22],
  ["ENOSPC", 28],
  ["EDQUOT", 28],
  ["EFBIG", 28],
  ["EOVERFLOW", 75],
  ["ENOTSUP", 95],
  ["EOPNOTSUPP", 95],
  ["ESHUTDOWN", 108],
];

describe("errorNumber", () => {
  it.each(numbers)("of %s is %i", (code, number) => {
    expect(errorNumber(code)).toBe(number);
  });

  it.each(["ENOENT", "ECONNRESET", "", "constructor", "toString", "__proto__", "eperm"])(
    "of %j, which the wire does not know, is that of EIO",
    (code) => {
      expect(errorNumber(code)).toBe(5);
    },
  );
});

describe("codeOf", () => {
  it.each(["EPERM", "EIO", "ENOMEM", "EINVAL", "ENOSPC", "EOVERFLOW", "ENOTSUP", "ESHUTDOWN"])("is the way back: %s", (code) => {
    expect(codeOf(errorNumber(code))).toBe(code);
  });

  it.each([2, 9999, 0xffffffff])("of a number that the document does not know is EINVAL: %i", (number) => {
    expect(codeOf(number)).toBe("EINVAL");
  });
});

it("every number has a text for those who may not see the error's own", () => {
  expect(numbers.map(([, number]) => defaultText(number))).not.toContain(undefined);
  expect(defaultText(22)).toBe("invalid request");
  expect(defaultText(4711)).toBe("input/output error");
});

describe.each(["at once", "later"] as const)("a disk that fails %s", (when) => {
  /** A disk whose every request fails with `error`. */
  const failing = (error: unknown) => {
    const fail = (): never | Promise<never> => {
      if (when === "later") return Promise.reject(error as Error);
      throw error;
    };
    return recorder(65_536, "at once", { read: fail, write: fail, flush: fail, trim: fail, zero: fail, cache: fail });
  };
  const requests = [wire.READ, wire.FLUSH, wire.TRIM, wire.CACHE];

  it.each(numbers.filter(([, number]) => number !== 75 && number !== 95))("with %s has its clients told %i", async (code, number) => {
    const client = await transmitting(failing(Object.assign(new Error("secret"), { code })), { mode: "structured" });
    for (const type of requests) {
      client.request({ type, length: type === wire.FLUSH ? 0n : 512n });
      await client.expect(client.failed(number, defaultText(number)));
    }
    client.write(0n, Buffer.alloc(512));
    await client.expect(client.failed(number, defaultText(number)));
  });

  it.each([
    ["EOVERFLOW", 75],
    ["ENOTSUP", 95],
  ])("with %s has its clients told EINVAL, but where the document allows that", async (code, number) => {
    const error = new DiskError(code, "the disk's own words");
    const client = await transmitting(failing(error), { mode: "structured" });
    for (const type of requests) {
      client.request({ type, length: type === wire.FLUSH ? 0n : 512n });
      await client.expect(client.failed(EINVAL, "the disk's own words"));
    }
    client.request({ type: wire.READ, flags: DF, length: 512n });
    await client.expect(client.failed(code === "EOVERFLOW" ? number : EINVAL, "the disk's own words"));
    client.request({ type: wire.ZERO, flags: wire.FAST_ZERO, length: 512n });
    await client.expect(client.failed(code === "ENOTSUP" ? number : EINVAL, "the disk's own words"));
  });

  it.each<[string, unknown]>([
    ["a string", "no"],
    ["nothing", undefined],
    ["null", null],
    ["an object", { message: "no" }],
    ["an error with a code that is no text", Object.assign(new Error("no"), { code: 28 })],
    ["an error with a code that every object has", Object.assign(new Error("no"), { code: "constructor" })],
  ])("with %s has its clients told EIO", async (_what, error) => {
    const client = await transmitting(failing(error), { mode: "structured" });
    client.request({ type: wire.READ, length: 512n });
    await client.expect(client.failed(5, "input/output error"));
  });

  it("at a place that is no bigint has its clients told the rest", async () => {
    const error = new DiskError("EIO", "block 3", { offset: 512 as never });
    const client = await transmitting(failing(error), { mode: "structured" });
    client.request({ type: wire.READ, length: 1024n });
    await client.expect(client.failed(5, "block 3"));
  });

  it.each([
    [4096, 4096],
    [4097, 4096],
    [100_000, 4096],
  ])("with a text of %i bytes has its clients told the first %i", async (length, told) => {
    const client = await transmitting(failing(new DiskError("EIO", "x".repeat(length))), { mode: "structured" });
    client.request({ type: wire.READ, length: 512n });
    await client.expect(client.failed(5, "x".repeat(told)));
  });

  it("with a text of several bytes a character has it cut between two, and no NUL in it", async () => {
    const client = await transmitting(failing(new DiskError("EIO", `\0${"é".repeat(3000)}`)), { mode: "structured" });
    client.request({ type: wire.READ, length: 512n });
    await client.expect(client.failed(5, ` ${"é".repeat(2047)}`));
  });
});
