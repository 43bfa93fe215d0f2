// The plugin on the command line.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sample } from "../../../test/fixtures/sample.ts";
import { command, shown } from "../../../test/fixtures/side-by-side.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { expectGoodUse, fakeVddk, folder, image } from "./fake.ts";

describeWith(["gcc", "nbdcopy", "nbdinfo", "qemu-io"], "diskwright serve vddk", () => {
  test("serves a local file", async () => {
    const fake = fakeVddk();
    const content = sample(3_000_320);
    const { content: found } = await shown("diskwright", ["vddk", image(content), `libdir=${fake.libdir}`]);
    expect(found.equals(content)).toBe(true);
    expectGoodUse(fake);
  });

  test("takes nbdkit's keys", async () => {
    const fake = fakeVddk();
    fake.remote(sample(65_536));
    const keys = [
      "server=esx",
      "user=root",
      "password=secret",
      "thumbprint=12",
      "vm=moref=3",
      "snapshot=s",
      "transports=nbd",
      "port=1",
      "nfchostport=2",
    ];
    const more = ["compression=zlib", "single-link=true", "unbuffered=true", "config=/etc/c", "vimapiver=1", "isolated=true", "timeout=20"];
    const { code, stderr } = await command("diskwright", [
      ...["-r", "-U", "-", "vddk", `libdir=${fake.libdir}`, ...keys, ...more, "[store] a/a.vmdk", "--run"],
      'nbdinfo --size "$uri" > /dev/null',
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(fake.calls()).toEqual(
      expect.arrayContaining([
        "ConnectEx esx vm=moref=3 type=1 user=root password=secret thumbprint=12 port=1 nfc=2 readonly=1 snapshot=s transports=nbd spec=0",
        "Open flags=23",
      ]),
    );
    expectGoodUse(fake);
  });

  test("makes a disk that a client writes and reads", async () => {
    const fake = fakeVddk();
    const path = join(folder(), "new.vmdk");
    const keys = ["create=true", "create-size=10M", "create-type=split-flat", "create-adapter-type=ide", "create-hwversion=esx50"];
    const run = 'qemu-io -f raw -c "write -P 7 1M 3M" -c "read -P 7 1M 3M" -c flush "$uri" > /dev/null';
    const { code, stderr } = await command("diskwright", ["-U", "-", "vddk", path, `libdir=${fake.libdir}`, ...keys, "--run", run]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(fake.calls()).toContain("Create type=4 adapter=1 hardware=8 capacity=20480");
    expect(execFileSync("cmp", ["-n", "3145728", "-i", "1048576:0", path, image(Buffer.alloc(3 * 2 ** 20, 7))]).toString()).toBe("");
  });

  test.each([
    [["create=true"], "create=true needs create-size="],
    [["create-size=1M"], "create-size= is for create=true"],
    [["server=esx"], 'a disk on server "esx" needs the option vm'],
    [["libdir=/nonexistent"], "there is no libvixDiskLib.so.6 or later in /nonexistent/lib64"],
  ])("%j is refused", async (keys, text) => {
    const { code, stderr } = await command("diskwright", ["-U", "-", "vddk", "/any.vmdk", ...keys, "--run", "true"]);
    expect(code).not.toBe(0);
    expect(stderr).toContain(text);
  });
});
