// The rules of the contract, with the library in processes and in threads.

import { rmSync, writeFileSync } from "node:fs";
import { vddk } from "@diskwright/vddk";
import type { Plugin } from "diskwright";
import { testPlugin } from "diskwright/testing";
import { test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { expectGoodUse, type FakeVddk, fakeVddk, image } from "./fake.ts";

describeWith(["gcc"], "the conformance suite", () => {
  const content = sample(512 * 3000);
  for (const [name, isolated] of [
    ["in processes", true],
    ["in threads", false],
  ] as const) {
    const fakes = new Map<Plugin, FakeVddk>();
    let fake: FakeVddk | undefined;
    testPlugin({
      test,
      name,
      content,
      // A process for each disk takes its time to start.
      ...(isolated && { routes: ["directly"] }),
      factory() {
        // In this process a library stays once it is loaded: one is enough.
        fake = isolated ? fakeVddk() : (fake ?? fakeVddk());
        const plugin = vddk(image(content), { libdir: fake.libdir, isolated });
        fakes.set(plugin, fake);
        return plugin;
      },
      cleanup(plugin) {
        const used = fakes.get(plugin) as FakeVddk;
        expectGoodUse(used);
        if (isolated) rmSync(used.libdir, { recursive: true });
        else writeFileSync(`${used.folder}/calls`, "");
      },
      persistent: true,
      expect: { write: true, flush: true, fua: "emulate", trim: false, zero: false, extents: true, multiConn: false },
    });
  }
});
