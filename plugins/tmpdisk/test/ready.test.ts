// Disks that are made ahead of their clients, and how much room all of them may take.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Format, type TmpdiskOptions, tmpdisk } from "@diskwright/tmpdisk";
import { type Disk, type ErrorEvent, openDisk, type Plugin } from "diskwright";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Deferred, deferred } from "../../../test/fixtures/deferred.ts";
import { filesIn, keepStarted, textAt, within } from "./fixtures.ts";

const MIB = 2 ** 20;

/** A function whose disks say which one they are, and that waits for `go` before each is done. */
function numbered(): { readonly format: Format; readonly begun: () => number; next(): Promise<void>; go(error?: Error): void } {
  const arrivals: (() => void)[] = [];
  const held: Deferred[] = [];
  let begun = 0;
  let waiting = 0;
  return {
    async format(path) {
      begun += 1;
      const number = begun;
      const gate = deferred();
      held.push(gate);
      const arrive = arrivals.shift();
      if (arrive === undefined) waiting += 1;
      else arrive();
      await gate.promise;
      writeFileSync(path, `disk ${number}`.padEnd(MIB));
    },
    begun: () => begun,
    /** Settles when the next one has begun. */
    async next() {
      if (waiting > 0) waiting -= 1;
      else await new Promise<void>((resolve) => void arrivals.push(resolve));
    },
    go(error) {
      const gate = held.shift();
      if (error === undefined) gate?.resolve();
      else gate?.reject(error);
    },
  };
}

async function opened(plugin: Plugin, signal?: AbortSignal): Promise<Disk> {
  const disk = await openDisk(plugin, signal === undefined ? {} : { signal });
  onTestFinished(() => disk.close());
  return disk;
}

/** A plugin that has started, with one disk ready and the next one being made. */
async function withOneReady(
  options: TmpdiskOptions = {},
): Promise<{ readonly plugin: Plugin; readonly maker: ReturnType<typeof numbered> }> {
  const maker = numbered();
  const plugin = tmpdisk("1M", within({ format: maker.format, ready: 2, ...options }));
  const started = keepUsed(plugin);
  await maker.next();
  maker.go();
  await started;
  return { plugin, maker };
}

/** Keeps a plugin in use, as a server does. */
async function keepUsed(plugin: Plugin): Promise<void> {
  await keepStarted(plugin);
}

describe("disks that are ready", () => {
  test("are there when the plugin has started: the first, while the others are being made", async () => {
    const { plugin, maker } = await withOneReady();
    await maker.next();
    const client = await plugin.open(request());
    onTestFinished(() => client.close?.());
    expect(await textAt(client as Disk, 6)).toBe("disk 1");
    expect(maker.begun()).toBe(2);
  });

  test("are made again as they are taken, one at a time", async () => {
    const { plugin, maker } = await withOneReady();
    await maker.next();
    maker.go();
    for (const number of [1, 2, 3, 4]) {
      const client = await plugin.open(request());
      expect(await textAt(client as Disk, 6)).toBe(`disk ${number}`);
      await client.close?.();
      await maker.next();
      expect(maker.begun()).toBe(number + 2);
      maker.go();
    }
  });

  test("a client for whom there is none takes the one that is being made, and the one after that has its own made", async () => {
    const { plugin, maker } = await withOneReady();
    await maker.next();
    const clients = [1, 2, 3].map(async () => (await plugin.open(request())) as Disk);
    await maker.next();
    maker.go();
    maker.go();
    const disks = await Promise.all(clients);
    const texts = await Promise.all(disks.map((disk) => textAt(disk, 6)));
    expect(texts).toEqual(["disk 1", "disk 2", "disk 3"]);
    await Promise.all(disks.map((disk) => disk.close()));
  });

  test("a client that leaves while it waits leaves the disk for the next one", async () => {
    const { plugin, maker } = await withOneReady();
    await maker.next();
    const first = await plugin.open(request());
    const controller = new AbortController();
    const leaving = Promise.resolve(plugin.open(request(controller.signal)));
    controller.abort(new Error("gone"));
    await expect(leaving).rejects.toThrow("gone");
    const staying = Promise.resolve(plugin.open(request()));
    maker.go();
    const disk = (await staying) as Disk;
    expect(await textAt(disk, 6)).toBe("disk 2");
    await Promise.all([disk.close(), first.close?.()]);
  });

  test("that cannot be made are told of, and tried again once a client has got one", async () => {
    const told: ErrorEvent[] = [];
    const listen = (event: unknown): void => void told.push(event as ErrorEvent);
    subscribe("diskwright:server.error", listen);
    onTestFinished(() => void unsubscribe("diskwright:server.error", listen));
    const { plugin, maker } = await withOneReady();
    await maker.next();
    const first = await plugin.open(request());
    const second = Promise.resolve(plugin.open(request()));
    maker.go(new Error("no luck"));
    // The client that waited for it has one made.
    await maker.next();
    expect(told).toEqual([
      { during: "making a disk ahead of its client", error: expect.objectContaining({ message: expect.stringContaining("no luck") }) },
    ]);
    expect(maker.begun()).toBe(3);
    maker.go();
    const disk = (await second) as Disk;
    expect(await textAt(disk, 6)).toBe("disk 3");
    await maker.next();
    expect(maker.begun()).toBe(4);
    await Promise.all([disk.close(), first.close?.()]);
  });

  test("are not served at all when the first cannot be made", async () => {
    const options = within({ command: "echo no >&2; exit 1", ready: 1 });
    await expect(openDisk(tmpdisk("1M", options))).rejects.toThrow("tmpdisk: the command failed: it ended with exit code 1\nno");
  });

  test("are gone when the plugin is closed, also those that are being made, and the plugin may start again", async () => {
    const maker = numbered();
    const options = within({ format: maker.format, ready: 2 });
    const plugin = tmpdisk("1M", options);
    for (let round = 0; round < 2; round += 1) {
      const opening = openDisk(plugin);
      await maker.next();
      maker.go();
      const disk = await opening;
      await maker.next();
      await disk.close();
      expect(filesIn(options.directory)).toEqual([]);
      await expect(async () => plugin.open(request())).rejects.toThrow("has not been started");
      // The function did not heed its signal: it goes on to no effect.
      maker.go();
    }
  });
});

describe("maxTotal", () => {
  test("bounds what all clients have together, and a client who leaves makes room", async () => {
    const plugin = tmpdisk("1M", within({ format: () => undefined, maxTotal: "2M" }));
    const one = await opened(plugin);
    await opened(plugin);
    const error = await openDisk(plugin).catch((refused: unknown) => refused);
    expect(error).toMatchObject({
      code: "ENOSPC",
      message: "no room for another disk of 1048576 bytes: all disks together may have 2097152 (maxTotal), and there are 2 others",
    });
    await one.close();
    expect((await opened(plugin)).size).toBe(BigInt(MIB));
  });

  test("counts what a command made and not what it was asked for", async () => {
    const options = within({ command: 'truncate -s "$bytes" "$disk"', parameters: { bytes: "3M" }, maxTotal: "4M" });
    const plugin = tmpdisk("1M", options);
    await opened(plugin);
    await expect(openDisk(plugin)).rejects.toMatchObject({
      code: "ENOSPC",
      message: expect.stringContaining("another disk of 3145728 bytes"),
    });
    expect(filesIn(options.directory)).toEqual([]);
  });

  test("is given back by disks that could not be made", async () => {
    const flag = join(within().directory, "flag");
    const command = `[ -e "$flag" ] && truncate -s $size "$disk"`;
    const plugin = tmpdisk("1M", within({ command, parameters: { flag }, maxTotal: "1M" }));
    await keepUsed(plugin);
    await expect(async () => plugin.open(request())).rejects.toThrow("exit code 1");
    writeFileSync(flag, "");
    expect(existsSync(flag)).toBe(true);
    const disk = await plugin.open(request());
    await disk.close?.();
  });

  test("holds for disks that are ready, which are made as room comes back", async () => {
    const { plugin, maker } = await withOneReady({ maxTotal: "2M" });
    await maker.next();
    maker.go();
    const one = (await plugin.open(request())) as Disk;
    const two = (await plugin.open(request())) as Disk;
    expect(maker.begun()).toBe(2);
    await expect(async () => plugin.open(request())).rejects.toMatchObject({ code: "ENOSPC" });
    await one.close();
    await maker.next();
    expect(maker.begun()).toBe(3);
    maker.go();
    const three = (await plugin.open(request())) as Disk;
    expect(await textAt(three, 6)).toBe("disk 3");
    await Promise.all([two.close(), three.close()]);
  });
});

/** What a server asks with. */
function request(signal: AbortSignal = new AbortController().signal): Parameters<Plugin["open"]>[0] {
  return { peer: { transport: "process" }, readonly: false, tls: false, signal, exportName: "", disconnect: () => undefined };
}
