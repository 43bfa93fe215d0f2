// With other people's BitTorrent programs: libtorrent, transmission and opentracker; and on the command line.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { noise } from "../../../test/fixtures/bytes.ts";
import { command } from "../../../test/fixtures/side-by-side.ts";
import { describeWith } from "../../../test/fixtures/tools.ts";
import { tree } from "../../../test/fixtures/tree.ts";
import { makeTorrent } from "./fixtures/make-torrent.ts";
import { expectSame, onLoopback, opened, readAll } from "./fixtures/opened.ts";
import { libtorrent, seedByLibtorrent, seedByTransmission, startTracker } from "./fixtures/swarms.ts";

const content = noise(3_000_017);
const files = { "images/README": Buffer.from("read me"), "images/disks/root.img": content };
const inTorrent = { README: files["images/README"], "disks/root.img": content };

describeWith([libtorrent, "opentracker"], "libtorrent, found through opentracker", () => {
  test("gives a torrent file's data, and what a magnet link is", async () => {
    const tracker = await startTracker();
    const made = makeTorrent({ name: "images", files: inTorrent, pieceLength: 65536, tracker: tracker.url });
    await tracker.admit(made);
    await seedByLibtorrent(made, files);
    while ((await tracker.seeders(made)) === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expectSame(await readAll(await opened(made)), content);
    const cacheDir = tree();
    const disk = await opened(made.magnet, { cacheDir });
    expectSame(await readAll(disk), content);
    expect(readFileSync(join(cacheDir, "images/disks/root.img")).equals(content)).toBe(true);
    await disk.close();
    // The second time nobody is needed.
    expectSame(await readAll(await opened(made.infoHash, { cacheDir, trackers: false })), content);
  });
});

describeWith([libtorrent], "libtorrent, and a folder that holds nearly all of it", () => {
  test("gives what is missing, though it is asked for while the folder is verified", async () => {
    const made = makeTorrent({ name: "images", files: inTorrent });
    const peer = await seedByLibtorrent(made, files);
    const damaged = Buffer.from(content);
    (damaged[100_000] as number) ^= 1;
    const cacheDir = tree();
    mkdirSync(join(cacheDir, "images/disks"), { recursive: true });
    writeFileSync(join(cacheDir, "images/disks/root.img"), damaged);
    expectSame(await readAll(await opened(made.magnet, { cacheDir, peers: [peer] })), content);
  });
});

describeWith([libtorrent, "nbdcopy"], "the command", () => {
  test("serves a torrent", async () => {
    const made = makeTorrent({ name: "images", files: inTorrent });
    const peer = await seedByLibtorrent(made, files);
    const folder = tree();
    writeFileSync(join(folder, "it.torrent"), made.bytes);
    const keys = [
      `peer=${peer}`,
      "dht=false",
      "peer-exchange=false",
      "listen-interfaces=127.0.0.1:0",
      `cache=${folder}`,
      "download-rate-limit=0",
    ];
    const { code, stderr } = await command("diskwright", [
      ...["-U", "-", "torrent", join(folder, "it.torrent"), ...keys, "--run", `nbdcopy "$uri" ${join(folder, "copy")}`],
    ]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expectSame(readFileSync(join(folder, "copy")), content);
  });
});

describeWith(["transmission-daemon"], "transmission", () => {
  test("gives what it has", async () => {
    const made = makeTorrent({ name: "images", files: inTorrent, pieceLength: 65536 });
    const peer = await seedByTransmission(made, files);
    expectSame(await readAll(await opened(made, { ...onLoopback, peers: [peer] })), content);
  });
});
