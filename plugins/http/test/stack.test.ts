// Filters over a file on a web server: a compressed disk of which one partition is served.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { http } from "@diskwright/http";
import { xz } from "@diskwright/xz";
import { openDisk, partition, pipe } from "diskwright";
import { expect, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { withNginx } from "./fixtures/nginx.ts";
import { read, readAll } from "./fixtures/opened.ts";

const MIB = 2 ** 20;

describeWith(["nginx", "openssl", "xz", "sfdisk"], "over nginx", () => {
  const nginx = withNginx();

  test("the first partition of a disk that xz compressed", async () => {
    const image = join(nginx.root, "disk.img");
    const content = sample(2 * MIB);
    writeFileSync(image, Buffer.alloc(4 * MIB));
    execFileSync("/sbin/sfdisk", ["-q", image], { input: "label: dos\nstart=2048, size=4096, type=83\n" });
    execFileSync("dd", [`of=${image}`, "bs=1M", "seek=1", "conv=notrunc", "status=none"], { input: content });
    execFileSync("xz", ["--block-size=256KiB", "-0", image]);
    const disk = await openDisk(pipe(http(nginx.url("plain", "/disk.img.xz")), xz({ threads: 1 }), partition(1)));
    expect(disk.size).toBe(BigInt(2 * MIB));
    expect((await read(disk, MIB, 1000)).equals(content.subarray(MIB, MIB + 1000))).toBe(true);
    expect((await readAll(disk, 100_000)).equals(content)).toBe(true);
    await disk.close();
  });
});
