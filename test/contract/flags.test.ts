import { expect, test } from "vitest";
import { extentFlags, writeFlags, zeroFlags } from "../../src/contract/index.ts";

const both = [false, true];

test("write flags are shared and frozen", () => {
  for (const fua of both) {
    expect(writeFlags(fua)).toEqual({ fua });
    expect(writeFlags(fua)).toBe(writeFlags(fua));
    expect(Object.isFrozen(writeFlags(fua))).toBe(true);
  }
});

test("zero flags are shared and frozen in every combination", () => {
  for (const fua of both) {
    for (const noHole of both) {
      for (const fastZero of both) {
        expect(zeroFlags(fua, noHole, fastZero)).toEqual({ fua, noHole, fastZero });
        expect(zeroFlags(fua, noHole, fastZero)).toBe(zeroFlags(fua, noHole, fastZero));
        expect(Object.isFrozen(zeroFlags(fua, noHole, fastZero))).toBe(true);
      }
    }
  }
});

test("extent flags are shared and frozen", () => {
  for (const reqOne of both) {
    expect(extentFlags(reqOne)).toEqual({ reqOne });
    expect(extentFlags(reqOne)).toBe(extentFlags(reqOne));
    expect(Object.isFrozen(extentFlags(reqOne))).toBe(true);
  }
});
