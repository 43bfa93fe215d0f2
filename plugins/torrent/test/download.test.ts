// Downloading: what is read is what the torrent says, from one peer, several, or a web seed.

import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TorrentProgress, torrent } from "@diskwright/torrent";
import { openDisk } from "diskwright";
import { describe, expect, onTestFinished, test } from "vitest";
import { noise } from "../../../test/fixtures/bytes.ts";
import { tree } from "../../../test/fixtures/tree.ts";
import { makeTorrent } from "./fixtures/make-torrent.ts";
import { expectSame, onLoopback, opened, read, readAll } from "./fixtures/opened.ts";
import { message, startPeer } from "./fixtures/peer.ts";
import { freePort } from "./fixtures/swarms.ts";

const content = noise(1_000_003);
const made = makeTorrent({ content });

describe("reading", () => {
  test("gives what the torrent says", async () => {
    const peer = await startPeer(made);
    const disk = await opened(made, { peers: [peer.address] });
    expect(disk.size).toBe(BigInt(content.length));
    expect(disk.blockSize).toMatchObject({ minimum: 1, preferred: 32768 });
    expect(await read(disk, 70_000, 5)).toEqual(content.subarray(70_000, 70_005));
    expectSame(await readAll(disk), content);
  });

  test("downloads what is asked for and no more, without read-ahead", async () => {
    const peer = await startPeer(made);
    const disk = await opened(made, { peers: [peer.address], readAhead: 0 });
    await read(disk, 32_760, 100);
    expect(peer.pieces()).toEqual([0, 1]);
  });

  test("downloads what lies behind, too", async () => {
    const peer = await startPeer(made);
    const disk = await opened(made, { peers: [peer.address], readAhead: 3 * 32768 });
    await read(disk, 10 * 32768, 1);
    await peer.waitFor(({ piece }) => piece === 13);
    await peer.waitFor(({ piece }) => piece === 11);
    expect(peer.pieces().every((piece) => piece >= 10 && piece <= 13)).toBe(true);
  });

  test("downloads all of the file in the background, if wanted", async () => {
    const peer = await startPeer(made);
    const done = new Promise<TorrentProgress>((resolve) => {
      const onProgress = (progress: TorrentProgress): void => {
        if (progress.verified === 31) resolve(progress);
      };
      void opened(made, { peers: [peer.address], downloadAll: true, onProgress });
    });
    expect(await done).toMatchObject({ pieces: 31, verified: 31, peers: 1, known: 1 });
  });

  test("does not come after what was asked for ahead of time", async () => {
    // This peer answers nothing of the first half, for which it is asked ahead.
    const peer = await startPeer(made, { answer: ({ piece }, right) => (piece > 0 && piece < 20 ? undefined : right) });
    const disk = await opened(made, { peers: [peer.address] });
    await read(disk, 0, 1);
    await peer.waitFor(({ piece }) => piece > 0);
    expect(await read(disk, 25 * 32768, 10)).toEqual(content.subarray(25 * 32768, 25 * 32768 + 10));
  });

  test("is not needed for what cache() brings near", async () => {
    const peer = await startPeer(made);
    const disk = await opened(made, { peers: [peer.address], readAhead: 0 });
    expect(disk.capabilities.cache).toBe("native");
    await disk.cache(5n * 32768n, 32768n * 2n);
    await peer.waitFor(({ piece, offset }) => piece === 6 && offset > 0);
    expect(peer.pieces()).toEqual([5, 6]);
  });

  test("works for several at the same time", async () => {
    const peer = await startPeer(made);
    const disk = await opened(made, { peers: [peer.address] });
    const offsets = Array.from({ length: 40 }, (_, i) => (i * 7919 * 31) % 990_000);
    const parts = await Promise.all(offsets.map((offset) => read(disk, offset, 1000)));
    for (const [i, part] of parts.entries()) expect(part).toEqual(content.subarray(offsets[i] as number, (offsets[i] as number) + 1000));
  });

  test("takes from a web seed", async () => {
    const server = createServer((request, response) => {
      const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "") ?? [];
      response.writeHead(206).end(content.subarray(Number(from), Number(to) + 1));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const disk = await opened(made, { webSeeds: [`http://127.0.0.1:${port}/disk.img`] });
    expect(await read(disk, 500_000, 5000)).toEqual(content.subarray(500_000, 505_000));
  });
});

describe("a torrent of several files", () => {
  const files = { README: Buffer.from("read me\n"), "disks/root.img": content, "disks/boot.img": noise(50_000, 3) };
  const several = makeTorrent({ name: "images", files });

  test("is its largest", async () => {
    const peer = await startPeer(several);
    const disk = await opened(several, { peers: [peer.address] });
    expect(disk.description).toBe(`disks/root.img of torrent ${several.infoHash}`);
    expectSame(await readAll(disk), content);
  });

  test.each(["disks/boot.img", "images/disks/boot.img"])("is the one that is named: %s", async (file) => {
    const peer = await startPeer(several);
    const disk = await opened(several, { peers: [peer.address], file });
    expectSame(await readAll(disk), files["disks/boot.img"]);
    // The first piece of the next file begins in the last of the one before.
    expect(peer.pieces()[0]).toBe(Math.floor((8 + content.length) / 32768));
  });

  test("has not the file that is named: the error lists those that there are", async () => {
    await expect(opened(several, { file: "root.img" })).rejects.toThrow(
      'the torrent images has no file "root.img": it has README, disks/root.img, disks/boot.img',
    );
  });

  test("may have padding between them, which is not kept", async () => {
    const padded = makeTorrent({ name: "padded", files: { a: Buffer.from("a"), ".pad/32767": Buffer.alloc(32767), b: content } });
    const peer = await startPeer(padded);
    const cacheDir = tree();
    const disk = await opened(padded, { peers: [peer.address], cacheDir });
    expectSame(await readAll(disk), content);
    expect(readdirSync(join(cacheDir, "padded"))).toEqual(["b"]);
  });
});

describe("the cache folder", () => {
  async function filled(): Promise<string> {
    const cacheDir = tree();
    writeFileSync(join(cacheDir, "disk.img"), content);
    return cacheDir;
  }

  test("has the file under its name, and the next run needs no peer", async () => {
    const peer = await startPeer(made);
    const cacheDir = tree();
    await using disk = await openDisk(torrent(made.bytes, { ...onLoopback, cacheDir, peers: [peer.address] }));
    await readAll(disk);
    await disk.close();
    expectSame(readFileSync(join(cacheDir, "disk.img")), content);
    expectSame(await readAll(await opened(made, { cacheDir })), content);
  });

  test("is verified: what is damaged is downloaded again, and nothing else", async () => {
    const cacheDir = await filled();
    const damaged = Buffer.from(content);
    (damaged[5 * 32768 + 7] as number) ^= 1;
    writeFileSync(join(cacheDir, "disk.img"), damaged);
    const peer = await startPeer(made);
    expectSame(await readAll(await opened(made, { cacheDir, peers: [peer.address] })), content);
    expect(peer.pieces()).toEqual([5]);
    expectSame(readFileSync(join(cacheDir, "disk.img")), content);
  });

  test("may hold less than it did", async () => {
    const cacheDir = await filled();
    truncateSync(join(cacheDir, "disk.img"), 29 * 32768 + 5);
    const peer = await startPeer(made);
    expectSame(await readAll(await opened(made, { cacheDir, peers: [peer.address] })), content);
    expect(peer.pieces()).toEqual([29, 30]);
  });

  test("that is cut off while it is served fails reads, and does not make up bytes", async () => {
    const cacheDir = await filled();
    const disk = await opened(made, { cacheDir });
    await readAll(disk);
    truncateSync(join(cacheDir, "disk.img"), 100_000);
    await expect(read(disk, 99_000, 2000)).rejects.toThrow("the file disk.img in the cache folder was cut off after it had been verified");
  });

  test("in which nothing can be written ends the download with its reason, and the next client may try again", async () => {
    const cacheDir = tree();
    mkdirSync(join(cacheDir, "disk.img/in-the-way"), { recursive: true });
    const peer = await startPeer(made);
    const disk = await opened(made, { cacheDir, peers: [peer.address] });
    await expect(read(disk, 0, 10)).rejects.toThrow(/the torrent cannot be downloaded any further: EISDIR/);
    await expect(read(disk, 0, 10)).rejects.toThrow(/EISDIR/);
  });

  test("that is temporary is gone after closing, and so is every connection", async () => {
    const peer = await startPeer(made);
    const before = new Set(readdirSync(tmpdir()));
    const disk = await opened(made, { peers: [peer.address] });
    await read(disk, 0, 10);
    const folders = readdirSync(tmpdir()).filter((name) => name.startsWith("diskwright-torrent-") && !before.has(name));
    expect(folders.length).toBeGreaterThan(0);
    await disk.close();
    await peer.idle();
    expect(folders.filter((name) => existsSync(join(tmpdir(), name, "disk.img")))).toEqual([]);
  });
});

describe("for others", () => {
  test("what has been downloaded is there, while it is served", async () => {
    const peer = await startPeer(made);
    const port = await freePort();
    await readAll(await opened(made, { peers: [peer.address], port }));
    const second = await opened(made, { peers: [`127.0.0.1:${port}`], host: "127.0.0.2", outgoingAddress: "127.0.0.2" });
    expectSame(await readAll(second), content);
  });

  test("there is nothing without upload", async () => {
    const cacheDir = tree();
    writeFileSync(join(cacheDir, "disk.img"), content);
    const port = await freePort();
    await readAll(await opened(made, { cacheDir, port, upload: false }));
    const second = await opened(made, { peers: [`127.0.0.1:${port}`], host: "127.0.0.2", timeout: 1 });
    await expect(read(second, 0, 10)).rejects.toThrow("the torrent stands still");
  });

  test("limits hold: who is limited is not done when another is", async () => {
    const peer = await startPeer(made);
    const controller = new AbortController();
    const limited = await opened(made, { peers: [peer.address], downloadRateLimit: "16k" }, { signal: controller.signal });
    const other = await opened(made, { peers: [peer.address] });
    const reading = readAll(limited).catch((error: unknown) => error);
    expectSame(await readAll(other), content);
    controller.abort(new Error("not done yet"));
    expect(String(await reading)).toContain("not done yet");
  });
});

describe("peers that do harm", () => {
  test("and send damaged pieces are sent away; others give what is right", async () => {
    const bad = await startPeer(made, { host: "127.0.0.2", answer: (_, right) => Buffer.alloc(right.length, 7) });
    const good = await startPeer(made, { host: "127.0.0.1" });
    const both = await opened(made, { peers: [bad.address, good.address] });
    expectSame(await readAll(both), content);
    expect(bad.asked.length).toBeLessThan(31);
  });

  test("alone are named when nothing comes", async () => {
    const bad = await startPeer(made, { host: "127.0.0.2", answer: (_, right) => Buffer.alloc(right.length, 7) });
    const disk = await opened(made, { peers: [bad.address], timeout: 1 });
    await expect(read(disk, 0, 10)).rejects.toThrow(
      /1 peers were found, 0 of them are connected; 127\.0\.0\.2 sent a damaged piece 0 and was sent away/,
    );
    await bad.idle();
  });

  test("and announce a message of gigabytes are let go", async () => {
    const peer = await startPeer(made, { greet: (socket) => socket.write(Buffer.from([0x7f, 0xff, 0xff, 0xff, 7])) });
    const good = await startPeer(made);
    const disk = await opened(made, { peers: [peer.address, good.address] });
    expectSame(await readAll(disk), content);
    await peer.idle();
  });

  test.each([
    ["an extended message that is no dictionary", message(20, Buffer.from([0]), Buffer.from("i9e"))],
    ["an extended message that is cut off", message(20, Buffer.from([0]), Buffer.from("d1:m"))],
    ["metadata out of turn", message(20, Buffer.from([1]), Buffer.from("d8:msg_typei1e5:piecei99e10:total_sizei-1ee"))],
    ["a bitfield of the wrong length", message(5, Buffer.alloc(5000, 0xff))],
    ["a piece that there is not", message(7, Buffer.alloc(8, 0xff), Buffer.alloc(10))],
    ["a have of a piece that there is not", message(4, Buffer.alloc(4, 0xff))],
    ["messages that are cut off", Buffer.concat([4, 5, 6, 7, 8, 9, 13, 16, 17, 20].map((type) => message(type)))],
    ["noise", noise(5000, 9)],
  ])("by %s harm themselves", async (_, bytes) => {
    const bad = await startPeer(made, { host: "127.0.0.2", greet: (socket) => socket.write(bytes) });
    const good = await startPeer(made);
    const disk = await opened(made, { peers: [bad.address, good.address] });
    expectSame(await readAll(disk), content);
  });
});

describe("waiting", () => {
  test("without peers ends, and says so", async () => {
    const disk = await opened(made, { timeout: "300ms" });
    const error = await read(disk, 0, 10).catch((refused: unknown) => refused);
    expect(error).toMatchObject({
      code: "ETIMEDOUT",
      message: "the torrent stands still: piece 0 of 31 has not arrived within 0.3 s; no peers were found",
    });
  });

  test("for peers that send nothing ends, and says how many there are", async () => {
    const peer = await startPeer(made, { answer: () => undefined });
    const disk = await opened(made, { peers: [peer.address], timeout: 1 });
    await expect(read(disk, 0, 10)).rejects.toThrow("within 1 s; 1 peers were found, 1 of them are connected");
  });

  test("for one of whom nobody knows what it is ends", async () => {
    await expect(opened(made.magnet, { timeout: "300ms" })).rejects.toThrow(
      "the torrent stands still: no peer has told what it is within 0.3 s; no peers were found",
    );
  });

  test("goes on while something arrives", async () => {
    const blocks = makeTorrent({ content, pieceLength: 524_288 });
    // 32 blocks, of which two or so are asked for at a time: the piece takes longer than the timeout.
    const slow = await startPeer(blocks, {
      answer: async (_, right) => {
        await new Promise((resolve) => setTimeout(resolve, 150));
        return right;
      },
    });
    const disk = await opened(blocks, { peers: [slow.address], timeout: 1, readAhead: 0 });
    expect(await read(disk, 0, 10)).toEqual(content.subarray(0, 10));
  });

  test("ends when the client goes", async () => {
    const peer = await startPeer(made, { answer: () => undefined });
    const controller = new AbortController();
    const disk = await opened(made, { peers: [peer.address] }, { signal: controller.signal });
    const reading = read(disk, 0, 10);
    reading.catch(() => undefined);
    await peer.waitFor(() => true);
    controller.abort(new Error("gone"));
    await expect(reading).rejects.toThrow("gone");
  });

  test("ends for a client that goes while it is not known what the torrent is", async () => {
    const controller = new AbortController();
    const opening = opened(made.magnet, {}, { signal: controller.signal });
    setImmediate(() => controller.abort(new Error("gone")));
    await expect(opening).rejects.toThrow("gone");
  });
});
