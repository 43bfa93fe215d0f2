// The tar filter as its users see it, on archives of GNU tar and Python, and on damaged ones.

import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { type Disk, data, file, gzip, openDisk, pipe, type TarOptions, tar } from "../../../src/index.ts";
import { type Call, ram, recorded, testFilter } from "../../../src/testing/index.ts";
import { thrownBy } from "../../contract/fixtures.ts";
import { noise, random } from "../../fixtures/bytes.ts";
import { run } from "../../fixtures/run.ts";
import { expectBothRefuse, expectSame } from "../../fixtures/side-by-side.ts";
import { describeWith } from "../../fixtures/tools.ts";
import { tree } from "../../fixtures/tree.ts";

async function contentOf(disk: Disk): Promise<Buffer> {
  const target = Buffer.alloc(Number(disk.size));
  await disk.read(target, 0n);
  return target;
}

/** What of a header is out of the ordinary. */
interface Fields {
  readonly type?: string;
  readonly size?: string | Buffer;
  readonly magic?: string;
  readonly prefix?: string;
  readonly linkName?: string;
  readonly sum?: string;
}

/** An entry, with a header as old tar programs wrote it unless `fields` say otherwise. */
function entry(name: string, content: Uint8Array | string = "", fields: Fields = {}): Buffer {
  const bytes = Buffer.from(content);
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write("0000644\0", 100);
  const size = fields.size ?? `${bytes.length.toString(8).padStart(11, "0")} `;
  if (typeof size === "string") header.write(size, 124, 12);
  else size.copy(header, 124);
  header.write(fields.type ?? "0", 156);
  header.write(fields.linkName ?? "", 157, 100);
  header.write(fields.magic ?? "", 257, "latin1");
  header.write(fields.prefix ?? "", 345, 155);
  header.write(" ".repeat(8), 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(fields.sum ?? `${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

function records(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([key, value]) => {
      const rest = Buffer.byteLength(` ${key}=${value}\n`);
      const length = [1, 2, 3, 4, 5].map((digits) => rest + digits).find((total) => String(total).length === total - rest);
      return `${length} ${key}=${value}\n`;
    })
    .join("");
}

const END = Buffer.alloc(1024);

function opened(archive: readonly Buffer[], options: TarOptions): Promise<Disk> {
  return openDisk(pipe(data(Buffer.concat(archive)), tar(options)));
}

async function found(archive: readonly Buffer[], name: string): Promise<string> {
  await using disk = await opened([...archive, END], { entry: name });
  return (await contentOf(disk)).toString();
}

describe("an entry is found", () => {
  const ustar = "ustar\u000000";
  it.each<[string, Buffer[], string]>([
    ["by its name", [entry("a", "one"), entry("b", "two"), entry("c", "three")], "b"],
    ["behind one that is empty, and one that fills its blocks", [entry("a"), entry("c", Buffer.alloc(1024)), entry("b", "two")], "b"],
    ["with a prefix", [entry("b", "one", { magic: ustar, prefix: "x" }), entry("b", "two", { magic: ustar, prefix: "x/y" })], "x/y/b"],
    ["without one in an archive of GNU, which keeps times there", [entry("b", "two", { magic: "ustar  \0", prefix: "1234567" })], "b"],
    ["with a name of exactly 100 bytes", [entry("n".repeat(100), "two")], "n".repeat(100)],
    [
      "with a long name of GNU",
      [entry("././@LongLink", `${"long/".repeat(99)}\0`, { type: "L" }), entry("long", "two")],
      "long/".repeat(99),
    ],
    [
      "with an extended header of POSIX",
      [entry("PaxHeader", records({ mtime: "1", path: "é/ö" }), { type: "x" }), entry("b", "two")],
      "é/ö",
    ],
    [
      "with a size in an extended header",
      [entry("P", records({ size: "3" }), { type: "x" }), entry("b", "two", { size: "00000000000 " })],
      "b",
    ],
    ["behind a global header", [entry("P", records({ comment: "a commit" }), { type: "g" }), entry("b", "two")], "b"],
    ["with a binary size", [entry("a", "one"), entry("b", "two", { size: Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]) })], "b"],
    ["as an old program's, whose type is a zero byte", [entry("b", "two", { type: "\0" })], "b"],
    ["as a contiguous file", [entry("b", "two", { type: "7" })], "b"],
    [
      "behind links and folders, whatever size they claim",
      [entry("l", "", { type: "1", size: "77777 " }), entry("d/", "", { type: "5", size: "7777 " }), entry("b", "two")],
      "b",
    ],
    ["the first of its name", [entry("b", "two"), entry("b", "three")], "b"],
    ["a long name that belongs to another", [entry("L", "other\0", { type: "L" }), entry("b", "one"), entry("b", "two")], "b"],
  ])("%s", async (_, archive, name) => {
    if (name.endsWith("/")) return void expect(await thrownBy(() => found(archive, name))).toMatchObject({ code: "EINVAL" });
    expect(await found(archive, name)).toBe("two");
  });

  it("in an archive without an end", async () => {
    await using disk = await opened([entry("a", "one"), entry("b", "two")], { entry: "b" });
    expect((await contentOf(disk)).toString()).toBe("two");
  });

  it("whose header's checksum was made of signed bytes", async () => {
    const header = entry("ü", "two");
    const signed = [...header.subarray(0, 512)].reduce(
      (sum, byte, i) => sum + (i >= 148 && i < 156 ? 32 : byte > 127 ? byte - 256 : byte),
      0,
    );
    header.write(`${signed.toString(8).padStart(6, "0")}\0 `, 148);
    expect(await found([header], "ü")).toBe("two");
  });

  it("with a size beyond what octal digits can say, by reading hardly anything", async () => {
    const huge = Buffer.from([0x80, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    const head = entry("huge", "", { size: huge });
    const calls: Call[] = [];
    // 2^60 bytes, then another entry.
    const archive = data(`base64:${head.toString("base64")} @${512n + 2n ** 60n} base64:${entry("b", "two").toString("base64")} @+1024`);
    await using disk = await openDisk(pipe(archive, recorded("below", calls), tar({ entry: "b" })));
    expect((await contentOf(disk)).toString()).toBe("two");
    expect(calls.filter(({ operation }) => operation === "read").length).toBeLessThan(5);
    await using itself = await openDisk(pipe(archive, tar({ entry: "huge" })));
    expect(itself.size).toBe(2n ** 60n);
  });
});

describe("an entry is written where it lies", () => {
  it("and nothing else of the archive is", async () => {
    const archive = ram(Buffer.concat([entry("a", noise(700)), entry("disk", noise(2000)), entry("z", noise(700)), END]));
    const before = Buffer.from(archive.bytes);
    {
      await using disk = await openDisk(pipe(archive, tar({ entry: "disk" })));
      expect(disk.size).toBe(2000n);
      await disk.write(Buffer.alloc(2000, 7), 0n);
      await disk.flush();
      expect(await thrownBy(() => disk.write(Buffer.alloc(1), 2000n))).toMatchObject({ code: "ENOSPC" });
    }
    const expected = Buffer.from(before);
    const start = 512 + 1024 + 512;
    expected.fill(7, start, start + 2000);
    expect(Buffer.from(archive.bytes).equals(expected)).toBe(true);
  });
});

describe("what cannot be served is refused in words", () => {
  const plain = [entry("a", "one"), entry("b", "two")];
  const sparse = records({ "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "s", "GNU.sparse.realsize": "9" });
  it.each<[string, Buffer[], TarOptions, RegExp]>([
    ["no such entry", plain, { entry: "c" }, /no entry "c" in the archive: there are "a", "b"/],
    ["a name that is not quite it", plain, { entry: "./a" }, /no entry "\.\/a"/],
    ["an entry behind the limit", plain, { entry: "b", limit: "1k" }, /no entry "b" in the first 1024 bytes/],
    ["a hard link", [entry("l", "", { type: "1", linkName: "a" })], { entry: "l" }, /hard link to "a": serve that/],
    ["a symbolic link", [entry("l", "", { type: "2", linkName: "a" })], { entry: "l" }, /symbolic link to "a"/],
    [
      "a link to a long name",
      [entry("K", "long\0", { type: "K" }), entry("l", "", { type: "2", linkName: "lo" })],
      { entry: "l" },
      /link to "long"/,
    ],
    ["a folder", [entry("d/", "", { type: "5" })], { entry: "d/" }, /a folder/],
    ["an old folder", [entry("d/", "", { type: "\0" })], { entry: "d/" }, /a folder/],
    ["a device", [entry("d", "", { type: "3" })], { entry: "d" }, /a device or pipe/],
    ["something new", [entry("d", "x", { type: "Q" })], { entry: "d" }, /of type "Q", not a file/],
    ["a sparse file of GNU", [entry("s", "x", { type: "S" })], { entry: "s" }, /a sparse file/],
    ["a sparse file of POSIX", [entry("P", sparse, { type: "x" }), entry("GNUSparseFile.1/s", "x")], { entry: "s" }, /a sparse file/],
    [
      "an entry longer than the archive",
      [entry("b", "two", { size: "00000010000 " })],
      { entry: "b" },
      /has 4096 bytes from byte 512 on, and the archive ends at 2048/,
    ],
    ["nothing", [], { entry: "a" }, /no tar archive, or one without entries/],
    ["text", [Buffer.from("hello world ".repeat(100))], { entry: "a" }, /byte 0 is no header of a tar archive: its checksum is wrong/],
    ["a wrong checksum", [entry("a", "one"), entry("b", "two", { sum: "000123\0 " })], { entry: "b" }, /byte 1024 is no header.*checksum/],
    ["a size that is no number", [entry("a", "one", { size: "12x45678901 " })], { entry: "b" }, /size is no number/],
    ["a negative size", [entry("a", "one", { size: Buffer.alloc(12, 0xff) })], { entry: "b" }, /size is no number/],
    ["an impossible size", [entry("a", "", { size: Buffer.alloc(12, 0x99) })], { entry: "b" }, /impossible size/],
    ["an endless name", [entry("L", "", { type: "L", size: "77777777777 " })], { entry: "b" }, /too long/],
    [
      "a name that is cut off",
      [entry("L", "", { type: "L", size: "00000010000 " })],
      { entry: "b" },
      /in the middle of an extended header/,
    ],
    [
      "a damaged extended header",
      [entry("P", "99 path=x\n", { type: "x" }), entry("a")],
      { entry: "b" },
      /extended header at byte 0 is damaged/,
    ],
  ])("%s", async (_, archive, options, message) => {
    expect(await thrownBy(() => opened([...archive, END], options))).toMatchObject({
      name: "DiskError",
      message: expect.stringMatching(message),
    });
  });

  it.each([[{}], [undefined], [{ entry: "" }], [{ entry: 7 }], [{ entry: "a", limit: "x" }]])("the options %j", async (options) => {
    expect(await thrownBy(() => tar(options as TarOptions))).toMatchObject({
      code: "EINVAL",
      message: expect.stringMatching(/entry|limit/),
    });
  });

  it("an archive cut off anywhere, or with bits turned over", async () => {
    const whole = Buffer.concat([
      entry("P", records({ path: "x", mtime: "1" }), { type: "x" }),
      entry("a", "one"),
      entry("L", "long name\0", { type: "L" }),
      entry("b", "two"),
      entry("disk", "three"),
      END,
    ]);
    for (let length = 0; length < whole.length; length += 31) {
      const error = await thrownBy(() => opened([whole.subarray(0, length)], { entry: "nothing" }));
      expect(error, `${length} bytes`).toMatchObject({ name: "DiskError" });
    }
    const next = random(11);
    for (let i = 0; i < 300; i++) {
      const copy = Buffer.from(whole);
      const at = next() % copy.length;
      copy[at] = (copy[at] as number) ^ (1 << (next() % 8));
      try {
        await using disk = await opened([copy], { entry: "disk" });
        expect((await contentOf(disk)).length).toBe(5);
      } catch (error) {
        expect(error).toMatchObject({ name: "DiskError", message: expect.stringMatching(/^tar: /) });
      }
    }
  });

  it("a client that has gone ends the search", async () => {
    // A terabyte of empty entries.
    const endless = data(`base64:${entry("a").toString("base64")}*100000`, { size: 512 * 100_000 });
    const controller = new AbortController();
    const opening = openDisk(pipe(endless, tar({ entry: "b" })), { signal: controller.signal });
    setImmediate(() => controller.abort(new Error("gone")));
    await expect(opening).rejects.toThrow("gone");
  });
});

describe("conformance", () => {
  const content = noise(300_000);
  const archive = Buffer.concat([entry("a", "one"), entry("disk", content), entry("z", "two"), END]);
  testFilter({ test, filter: () => tar({ entry: "disk" }), content: archive, model: (below) => below.subarray(1536, 1536 + 300_000) });
});

describeWith(["nbdkit", "nbdcopy", "nbdinfo", "tar", "gzip", "python3"], "archives of GNU tar and Python, beside nbdkit", () => {
  const long = `${"a-long-folder-name/".repeat(12)}disk.img`;

  async function archive(format: string): Promise<string> {
    const folder = tree({ "in/first": "1", [`in/${long}`]: noise(70_001).toString("latin1"), "in/ünicode": "u", "in/empty": "" });
    writeFileSync(join(folder, "in/holes"), noise(1000));
    truncateSync(join(folder, "in/holes"), 1_000_000);
    const names =
      format === "v7" ? "first holes empty" : format === "ustar" ? `first holes empty ünicode` : `first ${long} holes ünicode empty`;
    await run("sh", ["-c", `cd ${folder}/in && ln first hard && tar -c --format=${format} -f ../t.tar ${names} hard`]);
    return join(folder, "t.tar");
  }

  it.each(["gnu", "oldgnu", "pax", "posix", "ustar", "v7"])("--format=%s", async (format) => {
    const path = await archive(format);
    for (const name of ["first", "holes", "empty"]) await expectSame(["file", path, "--filter=tar", `tar-entry=${name}`]);
    if (!["v7", "ustar"].includes(format)) {
      // Where GNU's format has a long name, nbdkit 1.32 serves the bytes from that name's own header on.
      if (format.includes("gnu")) {
        await using disk = await openDisk(pipe(file(path), tar({ entry: long })));
        expect((await contentOf(disk)).equals(readFileSync(join(path, "../in", long)))).toBe(true);
      } else await expectSame(["file", path, "--filter=tar", `tar-entry=${long}`]);
    }
    await expectBothRefuse(["file", path, "--filter=tar", "tar-entry=nothing"]);
    if (format === "v7") return;
    await using disk = await openDisk(pipe(file(path), tar({ entry: "ünicode" })));
    expect((await contentOf(disk)).toString()).toBe("u");
  });

  it("a sparse archive's other files are found; its sparse ones are refused, where nbdkit serves something else", async () => {
    for (const format of ["gnu", "pax"]) {
      const folder = tree({ last: "the last" });
      writeFileSync(join(folder, "holes"), "");
      // More pieces than one header has room for.
      const script = `for i in $(seq 0 40); do printf x | dd of=holes bs=1 seek=$((i*100000)) conv=notrunc status=none; done`;
      await run("sh", ["-c", `cd ${folder} && ${script} && tar -cS --format=${format} -f t.tar holes last`]);
      await expectSame(["file", join(folder, "t.tar"), "--filter=tar", "tar-entry=last"]);
      expect(await thrownBy(() => openDisk(pipe(file(join(folder, "t.tar")), tar({ entry: "holes" }))))).toMatchObject({
        message: expect.stringMatching(/a sparse file/),
      });
    }
  });

  it("in a gzip file", async () => {
    const path = await archive("pax");
    await run("gzip", [path]);
    await expectSame(["file", `${path}.gz`, "--filter=tar", "--filter=gzip", `tar-entry=${long}`]);
    await using disk = await openDisk(pipe(file(`${path}.gz`), gzip(), tar({ entry: long })));
    expect(disk.capabilities.write).toBe(false);
  });

  it("is still an archive after it was written to", async () => {
    const path = await archive("pax");
    {
      await using disk = await openDisk(pipe(file(path), tar({ entry: long })));
      await disk.write(Buffer.from("written"), 5n);
    }
    const { stdout } = await run("sh", ["-c", `tar -xOf ${path} ${long} | head -c 12 | tail -c 7`]);
    expect(stdout).toBe("written");
    expect(readFileSync(path).length % 512).toBe(0);
  });

  it("every sort that Python writes", async () => {
    const folder = tree();
    const script = `
import tarfile, io
for name, format in (("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
    with tarfile.open("${folder}/" + name + ".tar", "w", format=format, pax_headers={"comment": "all"} if name == "pax" else None) as t:
        for i in range(300):
            content = bytes([i % 256]) * (i * 37)
            info = tarfile.TarInfo("folder/" * (i % 14) + "entry%d" % i)
            info.size = len(content)
            t.addfile(info, io.BytesIO(content))
`;
    await run("python3", ["-c", script]);
    for (const name of ["ustar", "gnu", "pax"]) {
      for (const i of [0, 1, 13, 27, 150, 299]) {
        await using disk = await openDisk(pipe(file(join(folder, `${name}.tar`)), tar({ entry: `${"folder/".repeat(i % 14)}entry${i}` })));
        expect((await contentOf(disk)).equals(Buffer.alloc(i * 37, i % 256))).toBe(true);
      }
    }
  });
});
