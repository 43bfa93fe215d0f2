// Lengths of time, in the spellings that nbdkit takes.

import { describe, expect, it } from "vitest";
import { parseDuration } from "../../src/common/duration.ts";

describe("a length of time", () => {
  it.each([
    [2, 2000],
    [0, 0],
    [0.25, 250],
    ["2", 2000],
    ["1.5", 1500],
    [".5", 500],
    ["2s", 2000],
    ["40ms", 40],
    ["20us", 0.02],
    ["20μs", 0.02],
    ["20µs", 0.02],
    ["500ns", 0.0005],
  ])("of %j is read as %f milliseconds", (value, milliseconds) => expect(parseDuration(value, "t")).toBeCloseTo(milliseconds, 9));

  it.each(["", "-1", "1h", "ms", "1 s", "1e3", "0x10", -1, Number.NaN, Number.POSITIVE_INFINITY, "9".repeat(400), undefined, null, 5n])(
    "is not read from %s",
    (value) => expect(() => parseDuration(value as never, "rdelay")).toThrow(/^rdelay .*: expected seconds/s),
  );

  it("that is none is refused as EINVAL, with what it is of", () => {
    expect(() => parseDuration("soon", "rdelay")).toThrow(
      expect.objectContaining({ code: "EINVAL", message: expect.stringMatching(/^rdelay "soon": /) }),
    );
  });
});
