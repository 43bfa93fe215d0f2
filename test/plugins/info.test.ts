// The info plugin.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { connect, type Disk, type InfoMode, info, openDisk } from "../../src/index.ts";
import { fakeClock, testPlugin } from "../../src/testing/index.ts";
import { served } from "../fixtures/served.ts";
import { expectBothRefuse, expectSame } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

async function textOf(disk: Disk): Promise<string> {
  const target = Buffer.alloc(Number(disk.size));
  await disk.read(target, 0n);
  return target.toString();
}

async function secondsOf(disk: Disk): Promise<number> {
  const target = Buffer.alloc(12);
  await disk.read(target, 0n);
  return Number(target.readBigUInt64BE()) + target.readUInt32BE(8) / 1e6;
}

describe("info", () => {
  testPlugin({
    test,
    factory: () => info(),
    exportName: "hello",
    content: Buffer.from("hello"),
    expect: { write: false, multiConn: true },
  });

  it("shows the export name", async () => {
    await using disk = await openDisk(info(), { exportName: "grüße" });
    expect(await textOf(disk)).toBe("grüße");
  });

  it("shows what the export name is in Base64", async () => {
    for (const [name, text] of [
      ["aGVsbG8=", "hello"],
      ["aGVs\nbG8=\n", "hello"],
      ["", ""],
    ] as const) {
      await using disk = await openDisk(info({ mode: "base64exportname" }), { exportName: name });
      expect(await textOf(disk)).toBe(text);
    }
    for (const name of ["aGVsbG8", "a", "h$llo===", "====", "aGVsbG8=aGVs"])
      await expect(openDisk(info({ mode: "base64exportname" }), { exportName: name })).rejects.toThrow("the export name is no Base64");
  });

  it("shows where the client is", async () => {
    const { uri } = await served("tcp", info({ mode: "address" }));
    await using disk = await connect(uri);
    expect(await textOf(disk)).toMatch(/^127\.0\.0\.1:\d+$/);
    const unix = await served("unix", info({ mode: "address" }));
    await using other = await connect(unix.uri);
    expect(await textOf(other)).toBe("unix");
    await using own = await openDisk(info({ mode: "address" }));
    expect(await textOf(own)).toBe("process");
  });

  it("writes IPv6 addresses as URIs do", async () => {
    const peer = { transport: "tcp", address: "::1", port: 1234 } as const;
    const plugin = info({ mode: "address" });
    const { signal } = new AbortController();
    const { size } = await plugin.open({ peer, readonly: false, tls: false, signal, exportName: "", disconnect: () => undefined });
    expect(size).toBe(BigInt("[::1]:1234".length));
  });

  it("shows the time of day", async () => {
    await using disk = await openDisk(info({ mode: "time", now: () => 1_600_000_000_123.5 }));
    expect(await secondsOf(disk)).toBe(1_600_000_000.1235);
    await using real = await openDisk(info({ mode: "time" }));
    expect(Math.abs((await secondsOf(real)) - Date.now() / 1000)).toBeLessThan(60);
  });

  it("shows how long the server has run, and how long the client has had the disk", async () => {
    const clock = fakeClock();
    const server = await served("unix", info({ mode: "uptime", clock }));
    await clock.advance(2500);
    await using uptime = await connect(server.uri);
    expect(await secondsOf(uptime)).toBe(2.5);
    await using conntime = await openDisk(info({ mode: "conntime", clock }));
    expect(await secondsOf(conntime)).toBe(0);
    await clock.advance(1000);
    expect([await secondsOf(uptime), await secondsOf(conntime)]).toEqual([3.5, 1]);
  });

  it("shows the version of this package", async () => {
    await using disk = await openDisk(info({ mode: "version" }));
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as { version: string };
    expect(await textOf(disk)).toBe(version);
  });

  it("says of what differs by connection that several are not one disk", async () => {
    const several: Record<InfoMode, boolean> = {
      exportname: true,
      base64exportname: true,
      version: true,
      address: false,
      time: false,
      uptime: false,
      conntime: false,
    };
    for (const mode of Object.keys(several) as InfoMode[]) {
      await using disk = await openDisk(info({ mode }));
      expect(disk.capabilities.multiConn, mode).toBe(several[mode]);
    }
  });

  it("refuses other modes", () => {
    expect(() => info({ mode: "name" as never })).toThrow('mode "name": expected exportname, base64exportname, address');
  });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "info and nbdkit's", () => {
  it("show the same", async () => {
    await expectSame(["info"], { exportName: "hello" });
    await expectSame(["info", "mode=base64exportname"], { exportName: "aGVsbG8=" });
    await expectSame(["info", "address"]);
    expect((await expectSame(["info"])).content).toHaveLength(0);
  });

  it("refuse other modes", async () => {
    await expectBothRefuse(["info", "hello"]);
    await expectBothRefuse(["-e", "h$llo", "info", "base64exportname"]);
  });
});
