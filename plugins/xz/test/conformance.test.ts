// The rules of the contract, for the filter as it is built.

import { execFileSync } from "node:child_process";
import { xz } from "@diskwright/xz";
import { testFilter } from "diskwright/testing";
import { test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { xzOf } from "./samples.ts";

describeWith(["xz"], "the conformance suite", () => {
  const content = sample(400_000);
  for (const [name, file] of [
    ["small blocks", xzOf(content, "--block-size=16KiB", "-0")],
    ["one block", xzOf(content, "-0")],
  ] as const) {
    testFilter({
      test,
      name,
      filter: () => xz({ threads: 1 }),
      content: file,
      model: (below) => execFileSync("xz", ["-dc"], { input: below, maxBuffer: 2 ** 30 }),
      expect: { write: false, trim: false, zero: false, extents: false, views: true, multiConn: true, cache: "native" },
    });
  }
});
