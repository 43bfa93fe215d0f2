// Probabilities, in the spellings that nbdkit takes.

import { describe, expect, it } from "vitest";
import { parseProbability } from "../../src/common/probability.ts";

describe("a probability", () => {
  it.each([
    [0, 0],
    [1, 1],
    [0.5, 0.5],
    ["0", 0],
    ["1", 1],
    ["0.5", 0.5],
    [".5", 0.5],
    ["1e-3", 0.001],
    ["100%", 1],
    ["0%", 0],
    ["12.5%", 0.125],
    ["1e1%", 0.1],
    ["1:1000", 0.001],
    ["1/4", 0.25],
    ["0:0", 0],
  ])("of %j is %f", (value, probability) => expect(parseProbability(value, "p")).toBeCloseTo(probability, 12));

  it.each(["", "%", "-1", "-10%", "nan", "inf", "1:", ":1", "1:2%", "ten", "1:0.", Number.NaN, -0.1, undefined, null])(
    "is not read from %j",
    (value) => expect(() => parseProbability(value as never, "error-rate")).toThrow(/^error-rate /),
  );

  it.each(["101%", "1.5", 2, "3:2", "1:0"])("of %j is more than always", (value) =>
    expect(() => parseProbability(value, "error-rate")).toThrow("more than always"),
  );

  it("that is none is refused as EINVAL, with what it is of", () => {
    expect(() => parseProbability("often", "error-rate")).toThrow(
      expect.objectContaining({ code: "EINVAL", message: expect.stringMatching(/^error-rate "often": /) }),
    );
  });
});
