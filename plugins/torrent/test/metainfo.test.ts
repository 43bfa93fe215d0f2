// Torrent files and magnet links, also those that were damaged or made to do harm.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DiskError, openDisk } from "diskwright";
import { describe, expect, test } from "vitest";
import { noise, random } from "../../../test/fixtures/bytes.ts";
import { tree } from "../../../test/fixtures/tree.ts";
import { FormatError } from "../src/metainfo/bencode.ts";
import { parseMagnet } from "../src/metainfo/magnet.ts";
import { parseMetainfo } from "../src/metainfo/metainfo.ts";
import { torrent } from "../src/torrent.ts";
import { bencode, makeTorrent, type Value } from "./fixtures/make-torrent.ts";

const content = noise(100_000);

describe("a torrent file", () => {
  test("says what is in it", () => {
    const made = makeTorrent({
      name: "images",
      files: { "a/b.img": content, c: Buffer.from("c") },
      tracker: "http://tracker.example/announce",
      webSeeds: ["http://seed.example/"],
      info: { private: 1 },
    });
    expect(parseMetainfo(made.bytes)).toMatchObject({
      infoHash: made.infoHash,
      name: "images",
      folder: true,
      files: [
        { path: "a/b.img", length: 100_000, offset: 0, padding: false },
        { path: "c", length: 1, offset: 100_000, padding: false },
      ],
      length: 100_001,
      pieceLength: 32768,
      pieceCount: 4,
      private: true,
      trackers: ["http://tracker.example/announce"],
      webSeeds: ["http://seed.example/"],
    });
  });

  test.each<[string, Parameters<typeof makeTorrent>[0], string]>([
    ["leads out of its folder by its name", { content, name: ".." }, 'its name leads out of its folder: ".."'],
    ["leads out of its folder by a path in its name", { content, name: "/etc/passwd" }, 'its name leads out of its folder: "/etc/passwd"'],
    ["leads out of its folder by a file", { files: { "../x": content } }, 'the path of its file 1 leads out of its folder: ".."'],
    ["has a backslash", { files: { "a\\..\\b": content } }, "the path of its file 1 leads out of its folder"],
    ["has a zero byte in a name", { files: { "a\0b": content } }, "the path of its file 1 leads out of its folder"],
    ["has a file without a name", { files: { "a/": content } }, "the path of its file 1 is missing"],
    ["has a name longer than any", { content, name: "x".repeat(256) }, "its name is longer than names of files can be"],
    ["has a file that is a folder too", { files: { a: content, "a/b": content } }, '"a" is both a file of it and a folder'],
    [
      "has pieces of a terabyte",
      { content, info: { "piece length": 2 ** 40 } },
      "its pieces have 1099511627776 bytes: pieces of up to 268435456",
    ],
    ["has pieces of nothing", { content, info: { "piece length": 0 } }, "it does not say how long its pieces are"],
    [
      "has an absurd length",
      { content, info: { length: 2 ** 52 } },
      "it has 4 hashes of pieces, and its 4503599627370496 bytes are 137438953472 pieces",
    ],
    ["has a negative length", { content, info: { length: -1 } }, 'it does not say how long "disk.img" is'],
    ["is empty", { content: Buffer.alloc(0) }, "there is nothing in its files"],
    ["has too few hashes", { content, info: { pieces: Buffer.alloc(60) } }, "it has 3 hashes of pieces"],
    ["has no hashes", { content, info: { pieces: undefined } }, "it has no hashes of its pieces"],
    ["is of version 2", { content, info: { pieces: undefined, "meta version": 2 } }, "it is a version 2 torrent"],
    ["has a list of files that is none", { content, info: { files: 7 } }, "its list of files is none"],
  ])("that %s is refused", (_, wanted, text) => {
    expect(() => parseMetainfo(makeTorrent(wanted).bytes)).toThrow(text);
  });

  test("whose files are larger than any disk together is refused", () => {
    const files = Array.from({ length: 3 }, (_, i): Value => ({ path: [`${i}`], length: Number.MAX_SAFE_INTEGER }));
    expect(() => parseMetainfo(makeTorrent({ files: {}, info: { files } }).bytes)).toThrow("its files are larger than any disk");
  });

  test("with a file twice is refused", () => {
    const files: Value = [1, 2].map(() => ({ path: ["same"], length: 50_000 }));
    expect(() => parseMetainfo(makeTorrent({ content, info: { files } }).bytes)).toThrow('two of its files are "same"');
  });

  test("that was cut off anywhere is refused", () => {
    const { bytes } = makeTorrent({ content, tracker: "http://tracker.example/announce" });
    for (let length = 0; length < bytes.length; length += 1) expect(() => parseMetainfo(bytes.subarray(0, length))).toThrow(FormatError);
    expect(() => parseMetainfo(bytes.subarray(0, bytes.length - 1))).toThrow("it was cut off");
    expect(() => parseMetainfo(Buffer.concat([bytes, Buffer.of(0)]))).toThrow("it goes on after its end");
  });

  test("with flipped bits is refused, or agrees with itself", () => {
    const { bytes } = makeTorrent({ name: "x", files: { "a/b": content, c: content }, tracker: "udp://tracker.example:1" });
    const next = random(5);
    let refused = 0;
    for (let round = 0; round < 3000; round += 1) {
      const damaged = Buffer.from(bytes);
      for (let flips = 0; flips <= round % 3; flips += 1) (damaged[next() % damaged.length] as number) ^= 1 << (next() % 8);
      try {
        const { files, length, pieceCount, pieceLength, hashes } = parseMetainfo(damaged);
        expect(pieceCount).toBe(Math.ceil(length / pieceLength));
        expect(hashes).toHaveLength(pieceCount * 20);
        expect(files.reduce((sum, file) => sum + file.length, 0)).toBe(length);
        for (const { path } of files) expect(path.split("/")).not.toContain("..");
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(300);
  });

  test.each([
    ["i01e", "is no number"],
    ["i-0e", "is no number"],
    ["i99999999999999999999e", "is no number"],
    ["i1", "it was cut off"],
    ["1:", "it was cut off"],
    ["999999999999:x", "it was cut off"],
    ["l".repeat(100_000), "more than 32 levels deep"],
    ["d1:ai1e1:ai2ee", '"a" twice'],
    ["di1ei1ee", "is no beginning of a key"],
    ["x", "is no beginning of a value"],
  ])("in which %.20s stands is refused", (text, why) => {
    expect(() => parseMetainfo(Buffer.from(`d4:info${text}e`))).toThrow(why);
  });

  test("that is none is refused when the plugin starts, with its reason", async () => {
    const path = join(tree({ "not.torrent": "hello" }), "not.torrent");
    const error = await openDisk(torrent(path)).catch((refused: unknown) => refused);
    expect(DiskError.is(error)).toBe(true);
    expect(error).toMatchObject({ code: "EINVAL", message: "the torrent file cannot be read: it does not begin as torrent files do" });
    await expect(openDisk(torrent("/no/such.torrent"))).rejects.toMatchObject({ code: "ENOENT" });
    await expect(openDisk(torrent(bencode({ a: 1 })))).rejects.toThrow("it has no info dictionary");
    const large = join(tree(), "large.torrent");
    writeFileSync(large, "d");
    const { truncateSync } = await import("node:fs");
    truncateSync(large, 2 ** 32);
    await expect(openDisk(torrent(large))).rejects.toThrow("more than are read (67108864)");
  });
});

describe("a link", () => {
  const hash = "0123456789abcdef0123456789abcdef01234567";

  test("names the torrent, and where it is found", () => {
    const link = `magnet:?xt=urn:btih:${hash.toUpperCase()}&tr=udp%3A%2F%2Ft.example%3A80&tr=http://u.example&ws=http://w.example&x.pe=192.0.2.1:6881&dn=x`;
    expect(parseMagnet(link)).toEqual({
      infoHash: hash,
      trackers: ["udp://t.example:80", "http://u.example"],
      webSeeds: ["http://w.example"],
      peers: ["192.0.2.1:6881"],
    });
  });

  test("may have its hash in base 32, and be nothing but a hash", () => {
    expect(parseMagnet("AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH").infoHash).toBe(hash);
    expect(parseMagnet(hash).infoHash).toBe(hash);
  });

  test.each([
    ["magnet:?dn=x", "it has no xt=urn:btih: with an info hash"],
    ["magnet:?xt=urn:btih:123", '"123" is no info hash'],
    ["magnet:?xt=urn:btmh:1220caf1", "it is of a version 2 torrent"],
    ["http://example.com/x.torrent", "is an address: download the torrent file"],
    ["", "is neither a torrent file, a magnet link nor an info hash"],
  ])("%s is refused", (link, why) => {
    expect(() => torrent(link)).toThrow(why);
  });
});

describe("options", () => {
  test.each<[Parameters<typeof torrent>[1], string]>([
    [{ file: "" }, 'option file: "": expected the path of a file'],
    [{ cacheDir: "" }, "option cacheDir"],
    [{ timeout: 0 }, "option timeout: 0: expected more than 0 seconds"],
    [{ timeout: "soon" }, 'option timeout: "soon"'],
    [{ readAhead: "-1" }, 'readAhead "-1"'],
    [{ downloadRateLimit: "fast" }, "downloadRateLimit"],
    [{ connectionsLimit: 0 }, "option connectionsLimit: 0: expected a whole number from 1 to 65535"],
    [{ port: 70_000 }, "option port: 70000"],
    [{ host: "eth0" }, 'option host: "eth0": expected an IP address'],
    [{ outgoingAddress: "x" }, "option outgoingAddress"],
    [{ trackers: ["tracker.example"] }, 'option trackers: "tracker.example": expected a list of addresses'],
    [{ webSeeds: ["ftp://x"] }, "option webSeeds"],
    [{ peers: ["192.0.2.1"] }, 'option peers: "192.0.2.1": expected a list of host:port'],
    [{ dht: ["x"] }, "option dht"],
    [{ upload: "no" as unknown as boolean }, 'option upload: "no": expected true or false'],
    [{ userAgent: "a\nb" }, "option userAgent"],
    [{ onProgress: 1 as never }, "option onProgress"],
  ])("%o is refused", (options, text) => {
    expect(() => torrent("x.torrent", options)).toThrow(text);
  });
});
