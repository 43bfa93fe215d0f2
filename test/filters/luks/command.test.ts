// luks on the command line: the keys beside those that nbdkit has.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { command } from "../../fixtures/side-by-side.ts";
import { describeWith } from "../../fixtures/tools.ts";
import { folder, PASSPHRASE, pattern, small1 } from "./images.ts";
import { reference } from "./reference.ts";

/** The image in a file, and the command line that serves it. */
async function served(): Promise<{
  readonly path: string;
  readonly image: string;
  readonly argv: readonly string[];
  readonly content: Uint8Array;
}> {
  const path = folder();
  const image = join(path, "disk.img");
  const { bytes, key } = await small1();
  writeFileSync(image, bytes);
  const content = reference("decrypt", bytes.subarray(65_536), { cipher: "aes-xts-plain64", key });
  return { path, image, argv: ["-U", "-", "file", image, "--filter=luks"], content };
}

describeWith(["nbdcopy"], "luks on the command line", () => {
  test.each([
    ["a passphrase", [`passphrase=${PASSPHRASE}`]],
    ["that of a keyslot", [`passphrase=${PASSPHRASE}`, "key-slot=0", "max-memory=64M", "allow-discards=yes", "threads=1"]],
  ])("%s opens the disk", async (_, keys) => {
    const { path, argv, content } = await served();
    const { code, stderr } = await command("diskwright", [...argv, ...keys, "--run", `nbdcopy "$uri" ${join(path, "plain")}`]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(Buffer.compare(readFileSync(join(path, "plain")), content)).toBe(0);
  });

  test("the first line of a file is a passphrase, all of it is a key file", async () => {
    const { path, argv } = await served();
    writeFileSync(join(path, "line"), `${PASSPHRASE}\nand more\n`);
    writeFileSync(join(path, "whole"), PASSPHRASE);
    const run = ["--run", 'nbdcopy "$uri" null:'];
    expect((await command("diskwright", [...argv, `passphrase=+${join(path, "line")}`, ...run])).code).toBe(0);
    expect((await command("diskwright", [...argv, `key-file=${join(path, "whole")}`, ...run])).code).toBe(0);
    expect((await command("diskwright", [...argv, `key-file=${join(path, "line")}`, ...run])).code).not.toBe(0);
  });

  test("a wrong passphrase is told to the client, which goes away, and not printed", async () => {
    const { argv } = await served();
    const { code, stderr } = await command("diskwright", [
      ...argv,
      "passphrase=battery staple",
      "--run",
      'nbdcopy "$uri" null: 2>/dev/null',
    ]);
    expect(code).not.toBe(0);
    expect(stderr).not.toContain("battery staple");
  });

  test("what is written is encrypted in the file", async () => {
    const { path, image, argv } = await served();
    const content = pattern(256 * 1024, 8);
    writeFileSync(join(path, "new"), content);
    const { code } = await command("diskwright", [...argv, `passphrase=${PASSPHRASE}`, "--run", `nbdcopy ${join(path, "new")} "$uri"`]);
    expect(code).toBe(0);
    const { key } = await small1();
    expect(Buffer.compare(reference("decrypt", readFileSync(image).subarray(65_536), { cipher: "aes-xts-plain64", key }), content)).toBe(0);
  });
});

describe("keys that do not go together", () => {
  test.each([[[]], [["passphrase=x", "key-file=/dev/null"]]])("%o is refused", async (keys) => {
    const { argv } = await served();
    const { code, stderr } = await command("diskwright", [...argv, ...keys, "--run", "true"]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("expected passphrase=… or key-file=…, and not both");
  });
});
