// The plugin on the command line, by both of its names.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { command, shown } from "../../../test/fixtures/side-by-side.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { tree } from "../../../test/fixtures/tree.ts";
import { memoryS3 } from "./fixtures/memory-s3.ts";

describeWith(["nbdcopy", "nbdinfo"], "the command", () => {
  const content = sample(500_000);

  test.each(["s3", "S3"])("%s shows an object; secrets may lie in files", async (name) => {
    const store = await memoryS3();
    store.put("images/disk.img", content);
    const secret = join(tree(), "secret");
    writeFileSync(secret, "TESTSECRET\n");
    const keys = ["access-key=TESTKEY", `secret-key=+${secret}`, `endpoint-url=${store.endpoint}`, "bucket=disks", "key=images/disk.img"];
    const { content: read } = await shown("diskwright", [name, ...keys]);
    expect(read.equals(content)).toBe(true);
  });

  test("writes a disk of many objects, which can be read again without its sizes", async () => {
    const store = await memoryS3();
    const folder = tree({});
    writeFileSync(join(folder, "image"), content);
    const keys = ["anonymous=true", `endpoint-url=${store.endpoint}`, "bucket=disks"];
    const disk = ["key=vm", `size=${content.length}`, "object-size=64k"];
    const written = await command("diskwright", ["-U", "-", "S3", ...keys, ...disk, "--run", `nbdcopy ${folder}/image "$uri"`]);
    expect(written).toEqual({ code: 0, stderr: "" });
    const run = `nbdcopy "$uri" ${folder}/copy`;
    const read = await command("diskwright", ["-r", "-U", "-", "s3", ...keys, "key-prefix=vm", "--run", run]);
    expect(read).toEqual({ code: 0, stderr: "" });
    expect(readFileSync(join(folder, "copy")).equals(content)).toBe(true);
  });

  test.each([
    [["key=a", "key-prefix=b"], "give key or key-prefix, not both"],
    [[], "give key, or key-prefix"],
    [["key=a", "access-key=b"], "give access-key and secret-key together"],
    [["key=a", "access-key=b", "secret-key=c", "anonymous=true"], "give keys or anonymous=true, not both"],
    [["key=a", "customer-key=YWJj", "encryption=AES256"], "give customer-key or encryption, not both"],
    [["key=a", "object-size=3k"], "objectSize 3072: expected a power of two from 4k to 256M"],
  ])("%j is refused", async (keys, text) => {
    const { code, stderr } = await command("diskwright", ["-U", "-", "s3", "bucket=disks", ...keys, "--run", "true"]);
    expect(code).not.toBe(0);
    expect(stderr).toContain(text);
  });
});
