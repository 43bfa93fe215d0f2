// The allocator and the filter on the command line.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { command, expectBothRefuse, shown } from "../../../test/fixtures/side-by-side.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { tree } from "../../../test/fixtures/tree.ts";
import { frameOf } from "./files.ts";

describeWith(["nbdkit", "nbdcopy", "nbdinfo", "qemu-io"], "memory allocator=zstd", () => {
  test.each([[["1T", "allocator=zstd"]], [["size=1T", "allocator=zstd,level=3"]]])("%j keeps what it is given", async (keys) => {
    const folder = tree();
    const run = `qemu-io -f raw -c "write -P 7 512G 3M" -c "write -P 9 100k 1k" -c "read -P 7 512G 3M" -c "read -P 9 100k 1k" "$uri" > ${folder}/out`;
    const { code, stderr } = await command("diskwright", ["-U", "-", "memory", ...keys, "--run", run]);
    expect([code, stderr]).toEqual([0, ""]);
  });

  test("shows the same map as nbdkit's, and the same bytes", async () => {
    const folder = tree();
    writeFileSync(join(folder, "image"), sample(3_000_000));
    const script = (who: string): string =>
      `nbdcopy ${folder}/image "$uri" && nbdcopy "$uri" ${folder}/${who} && nbdinfo --map --totals "$uri" > ${folder}/${who}.map`;
    for (const who of ["nbdkit", "diskwright"] as const) {
      const outcome = await command(who, ["-U", "-", "memory", "3000000", "allocator=zstd", "--run", script(who)]);
      expect(outcome).toEqual({ code: 0, stderr: "" });
    }
    const read = (name: string): Buffer => readFileSync(join(folder, name));
    expect(read("diskwright").equals(read("image"))).toBe(true);
    expect(read("nbdkit").equals(read("image"))).toBe(true);
    expect(read("diskwright.map").toString()).toBe(read("nbdkit.map").toString());
  });

  test.each(["lz4", "zstd,mlock=true", "malloc,level=3"])("allocator=%s is refused, as by nbdkit", async (allocator) => {
    const { diskwright } = await expectBothRefuse(["memory", "1M", `allocator=${allocator}`]);
    expect(diskwright).toContain("expected sparse, malloc, zstd or zstd,level=N");
  });
});

describeWith(["nbdcopy", "nbdinfo", "zstd"], "--filter=zstd", () => {
  test("shows what is in a file", async () => {
    const content = sample(2_000_000);
    const path = join(tree(), "disk.zst");
    writeFileSync(path, frameOf(content));
    const { content: read } = await shown("diskwright", ["--filter=zstd", "file", path, "zstd-max-memory=1M", "zstd-max-window=8M"]);
    expect(read.equals(content)).toBe(true);
  });
});
