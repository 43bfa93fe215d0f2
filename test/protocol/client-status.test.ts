import { describe, expect, it } from "vitest";
import { decodeStatus, descriptorCount, MAX_DESCRIPTORS, statusPrefixSize } from "../../src/protocol/client-status.ts";
import * as wire from "../client/wire.ts";

describe("descriptorCount", () => {
  it("counts what follows the context's number", () => {
    expect(descriptorCount(statusPrefixSize(false) + 3 * 8, false)).toBe(3);
    expect(descriptorCount(statusPrefixSize(true) + 3 * 16, true)).toBe(3);
    expect(descriptorCount(4 + 8 * MAX_DESCRIPTORS, false)).toBe(MAX_DESCRIPTORS);
  });

  it.each([0, 4, 11, 13, 4 + 8 * (MAX_DESCRIPTORS + 1), 2 ** 32 - 1])("refuses a chunk of %i bytes", (length) => {
    expect(() => descriptorCount(length, false)).toThrow("which is no list of 1 to 1048576 descriptors");
  });
});

describe("decodeStatus", () => {
  const body = wire
    .statusPayload(0, [
      [512, 1],
      [512, 0],
      [0xffffffff, 3],
    ])
    .subarray(4);

  it("places the extents one after the other from the offset on, and cuts the last at the end of the request", () => {
    expect(decodeStatus(body, false, 2n ** 62n, 2048n, false)).toEqual([
      { offset: 2n ** 62n, length: 512n, status: 1n },
      { offset: 2n ** 62n + 512n, length: 512n, status: 0n },
      { offset: 2n ** 62n + 1024n, length: 1024n, status: 3n },
    ]);
  });

  it("reads 64-bit lengths that lead far past the end", () => {
    const huge = wire.extendedStatusPayload(0, [[2n ** 64n - 1n, 2n ** 64n - 1n]]).subarray(8);
    expect(decodeStatus(huge, true, 0n, 10n, false)).toEqual([{ offset: 0n, length: 10n, status: 2n ** 64n - 1n }]);
  });

  it("refuses extents of which the first have covered the request", () => {
    expect(() => decodeStatus(body, false, 0n, 1024n, false)).toThrow("goes on after the end of the request");
  });
});
