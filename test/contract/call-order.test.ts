// Who is called when, in a stack of three filters over a plugin: the order that filters may rely on.

import { expect, test } from "vitest";
import {
  type ClientInfo,
  type Disk,
  type OpenRequest,
  openDisk,
  type Plugin,
  pipe,
  writeFlags,
  zeroFlags,
} from "../../src/contract/index.ts";
import { type Call, ram, recorded } from "../../src/testing/index.ts";

/** A stack of which every layer notes what reaches it: P is the plugin, C the filter nearest to it, A the one nearest the client. */
function stack(): { plugin: Plugin; order: () => string[] } {
  const calls: Call[] = [];
  const bottom: Plugin = { ...ram(65536), exports: () => [{ name: "disk" }], defaultExport: () => "disk" };
  const plugin = pipe(bottom, ...["P", "C", "B", "A"].map((name) => recorded(name, calls)));
  return { plugin, order: () => calls.splice(0).map(String) };
}

/** The same text for each layer, from the client down. */
const down = (text: string): string[] => ["A", "B", "C", "P"].map((name) => `${name}: ${text}`);
const up = (text: string): string[] => down(text).reverse();

test("a server's calls: start from the plugin up, everything else from the client down", async () => {
  const { plugin, order } = stack();
  const client: ClientInfo = { peer: { transport: "unix" }, readonly: false, tls: false, signal: new AbortController().signal };
  const request: OpenRequest = { ...client, exportName: "disk", disconnect: () => undefined };

  await plugin.start?.({ signal: new AbortController().signal, shutdown: () => undefined });
  expect(order()).toEqual(up("start"));

  await plugin.preconnect?.(client.peer);
  expect(order()).toEqual(down("preconnect"));

  await plugin.exports?.(client);
  expect(order()).toEqual(down("exports"));

  await plugin.defaultExport?.(client);
  expect(order()).toEqual(down("defaultExport"));

  const disk = (await plugin.open(request)) as Disk;
  expect(order()).toEqual(down('open "disk"'));

  await disk.close();
  expect(order()).toEqual(down("close"));

  await plugin.close?.();
  expect(order()).toEqual(down("close plugin"));
});

test("each request passes from the client down to the plugin, with its flags", async () => {
  const { plugin, order } = stack();
  await using disk = await openDisk(plugin);
  expect(order()).toEqual([...up("start"), ...down("defaultExport"), ...down('open "disk"')]);
  const requests: [() => unknown, string][] = [
    [() => disk.read(new Uint8Array(512), 0n), "read 512 at 0"],
    [() => disk.write(new Uint8Array(512), 512n), "write 512 at 512"],
    [() => disk.write(new Uint8Array(512), 512n, writeFlags(true)), "write 512 at 512, fua"],
    [() => disk.flush(), "flush"],
    [() => disk.trim(0n, 1024n, writeFlags(true)), "trim 1024 at 0, fua"],
    [() => disk.zero(0n, 1024n), "zero 1024 at 0"],
    [() => disk.zero(0n, 1024n, zeroFlags(true, true, true)), "zero 1024 at 0, fua, noHole, fastZero"],
    [() => disk.extents(0n, 65536n), "extents 65536 at 0"],
    [() => disk.extents(0n, 65536n, { reqOne: true }), "extents 65536 at 0, reqOne"],
    [() => disk.cache(0n, 4096n), "cache 4096 at 0"],
  ];
  for (const [request, text] of requests) {
    await request();
    expect(order()).toEqual(down(text));
  }
});

test("clients are opened and closed one by one; the stack starts with the first and closes after the last", async () => {
  const { plugin, order } = stack();
  const first = await openDisk(plugin, { exportName: "one" });
  expect(order()).toEqual([...up("start"), ...down('open "one"')]);
  const second = await openDisk(plugin, { exportName: "two" });
  expect(order()).toEqual(down('open "two"'));
  await first.close();
  expect(order()).toEqual(down("close"));
  await second.close();
  expect(order()).toEqual([...down("close"), ...down("close plugin")]);
});

test("what a layer cannot do is done by the layer itself, from what the one below can", async () => {
  const calls: Call[] = [];
  const bytes = new Uint8Array(3 * 1024 * 1024);
  const simple: Plugin = {
    name: "simple",
    open: () => ({
      size: BigInt(bytes.length),
      read: (target, offset) => target.set(bytes.subarray(Number(offset), Number(offset) + target.length)),
      write: (source, offset) => bytes.set(source, Number(offset)),
      flush: () => undefined,
    }),
  };
  await using disk = await openDisk(pipe(simple, recorded("P", calls), recorded("A", calls)));
  calls.length = 0;
  await disk.zero(0n, 2_500_000n, zeroFlags(true, false, false));
  const pieces = ["1048576 at 0", "1048576 at 1048576", "402848 at 2097152"];
  expect(calls.map(String)).toEqual(pieces.flatMap((piece) => [`A: write ${piece}, fua`, `P: write ${piece}, fua`]));
});
