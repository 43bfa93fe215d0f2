// "Did you mean …?"

import { describe, expect, it } from "vitest";
import { didYouMean, nearest } from "../../src/cli/suggest.ts";

const names = ["memory", "file", "null", "partitioning"];

describe("nearest", () => {
  it.each([
    ["memroy", "memory"],
    ["Memory", "memory"],
    ["fil", "file"],
    ["nul", "null"],
    ["partitionning", "partitioning"],
  ])("takes %s for %s", (typed, meant) => expect(nearest(typed, names)).toBe(meant));

  it.each([["curl"], ["x"], [""]])("makes no guess at %j", (typed) => expect(nearest(typed, names)).toBeUndefined());

  it("writes its guess as a question", () => {
    expect(didYouMean("memry", names)).toBe(": did you mean memory?");
    expect(didYouMean("siz", ["size"], (name) => `${name}=`)).toBe(": did you mean size=?");
    expect(didYouMean("quux", names)).toBe("");
  });
});
