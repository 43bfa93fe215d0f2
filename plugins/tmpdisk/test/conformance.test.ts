// The rules of the contract, for the plugin as it is built.

import { tmpdisk } from "@diskwright/tmpdisk";
import { testPlugin } from "diskwright/testing";
import { describe, test } from "vitest";
import { describeWith } from "../../../test/fixtures/tools.ts";

const expected = { write: true, flush: true, fua: "native", extents: true, multiConn: false } as const;

describe("the conformance suite, on blank disks", () => {
  testPlugin({ test, factory: () => tmpdisk("1M", { format: () => undefined }), expect: expected });
});

describeWith(["mkfs.ext4"], "the conformance suite, on a disk that was ready", () => {
  testPlugin({ test, routes: ["directly"], factory: () => tmpdisk("1M", { ready: 1 }), expect: expected });
});
