// nbd-client, the kernel driver's companion: what it can do without a kernel that has the driver is to list.

import { expect, it } from "vitest";
import { ram } from "../fixtures/ram.ts";
import { run } from "../fixtures/run.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";

describeWith(["nbd-client"], "nbd-client", () => {
  overEach((reach) => {
    it("lists the exports and their descriptions", async () => {
      const source = {
        "": { plugin: ram(512), description: "the default" },
        "a disk/ü": { plugin: ram(512), description: "another" },
        plain: ram(512),
      };
      const { server } = await served(reach, source);
      const { address } = server;
      const where = address?.transport === "tcp" ? [address.host, String(address.port)] : ["-u", address?.path ?? ""];
      const { stdout } = await run("nbd-client", ["-l", ...where]);
      const [, ...lines] = stdout.trimEnd().split("\n");
      expect(lines).toEqual([": the default", "a disk/ü: another", "plain"]);
    });
  });
});
