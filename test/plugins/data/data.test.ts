// The data plugin as its users see it.

import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { type DataContent, type DataOptions, type Disk, data, openDisk } from "../../../src/index.ts";
import { testPlugin } from "../../../src/testing/index.ts";
import { thrownBy } from "../../contract/fixtures.ts";
import { tree } from "../../fixtures/tree.ts";

async function contentOf(disk: Disk): Promise<Buffer> {
  const target = Buffer.alloc(Number(disk.size));
  await disk.read(target, 0n);
  return target;
}

async function made(content: DataContent, options?: DataOptions): Promise<Buffer> {
  await using disk = await openDisk(data(content, options));
  return contentOf(disk);
}

function refusal(content: unknown, options?: DataOptions): Promise<unknown> {
  return thrownBy(async () => made(content as DataContent, options));
}

describe("what a disk can be made of", () => {
  it("bytes as they are", async () => {
    expect(await made(Buffer.from("Hello"))).toEqual(Buffer.from("Hello"));
    expect(await made([0x55, 0xaa])).toEqual(Buffer.of(0x55, 0xaa));
    expect(await made({ raw: Uint8Array.of(1, 2) })).toEqual(Buffer.of(1, 2));
    expect(await made({ raw: "é" })).toEqual(Buffer.from("é"));
    expect(await made({ base64: "MTIz" }, { size: 5 })).toEqual(Buffer.from("123\0\0"));
    expect(await made("base64:MTIz*2 base64: 4")).toEqual(Buffer.from("123123\x04"));
  });

  it("an expression, with everything that newer versions of nbdkit have", async () => {
    expect((await made("@10K 1")).length).toBe(10241);
    expect((await made("@1s 1 @^4k @+0x10K @-1b")).length).toBe(512 + 3584 + 16384);
    expect(await made("1*1K")).toEqual(Buffer.alloc(1024, 1));
    expect(await made(String.raw`"\x41\101\0\u20ac\U0001f4be"`)).toEqual(Buffer.from("AA\0€💾"));
    expect(await made("(le16:1)(le16:2)*2")).toEqual(Buffer.of(1, 0, 2, 0, 2, 0));
    expect(await made("(1 2 3) [ 1 : 2 ]")).toEqual(Buffer.of(2));
  });

  it("variables", async () => {
    expect(await made("$a $b*2", { variables: { a: "1 # one", b: "( 2 $a )" } })).toEqual(Buffer.of(1, 2, 1, 2, 1));
  });

  it("an endless script, of which only what is needed is read", async () => {
    const endless = "<( while :; do echo 0123456; done )";
    expect((await made(`${endless}[:20000]`)).length).toBe(20000);
    expect(await made(`${endless}[5:11]`)).toEqual(Buffer.from("56\n012"));
    expect(await made(`1 ${endless} -> \\s \\s[:3] \\s[:1]`)).toEqual(Buffer.from("\x010120"));
    expect((await made(`1 ( ( ${endless} ) )*3`, { size: "1M" })).length).toBe(2 ** 20);
    expect((await made("</dev/zero", { size: 100 })).length).toBe(100);
  });

  it("a script that only bash understands, where there is one", async () => {
    expect(await made('<( while :; do printf "%04x" $((i++)); done )[:12]')).toEqual(Buffer.from("000000010002"));
  });

  it("a disk that is far larger than any memory, as most of it is a hole", async () => {
    await using disk = await openDisk(data('"a" @0x7ffffffffffffff0 "z"'));
    expect(disk.size).toBe(2n ** 63n - 15n);
    const target = Buffer.alloc(2);
    await disk.read(target, disk.size - 2n);
    expect(target).toEqual(Buffer.from("\0z"));
    expect(await disk.extents(0n, disk.size)).toHaveLength(3);
    await using holes = await openDisk(data("( ( @1M )*1000000 @2T )*1000000 0*1T"));
    expect(holes.size).toBe(2n ** 41n * 1000000n + 2n ** 40n);
    expect(await holes.extents(0n, holes.size)).toMatchObject([{ hole: true }]);
  });
});

describe("the disk", () => {
  it("can be written, and every client sees it, also after it was closed and opened again", async () => {
    const plugin = data("1 2 3 4");
    {
      await using one = await openDisk(plugin);
      await using other = await openDisk(plugin);
      await one.write(Uint8Array.of(9), 1n);
      expect(await contentOf(other)).toEqual(Buffer.of(1, 9, 3, 4));
    }
    await using again = await openDisk(plugin);
    expect(await contentOf(again)).toEqual(Buffer.of(1, 9, 3, 4));
  });

  it("does not change what it was made of, nor with it", async () => {
    const bytes = Uint8Array.of(1, 2);
    const plugin = data(bytes);
    bytes[0] = 9;
    await using disk = await openDisk(plugin);
    await disk.write(Uint8Array.of(7, 7), 0n);
    expect(bytes).toEqual(Uint8Array.of(9, 2));
  });

  it("tries again to start after it could not", async () => {
    const folder = tree();
    const plugin = data(`<${folder}/later`);
    expect(await thrownBy(() => openDisk(plugin))).toMatchObject({ message: expect.stringContaining("later") });
    const { writeFileSync } = await import("node:fs");
    writeFileSync(join(folder, "later"), "now");
    await using disk = await openDisk(plugin);
    expect(await contentOf(disk)).toEqual(Buffer.from("now"));
  });
});

describe("what is wrong is said where it is", () => {
  it.each<[string, RegExp]>([
    ["1 2\n  300", /line 2, column 3: 300 is no byte/],
    ["1 08", /line 1, column 3: 08 is no number/],
    ['1 "ab\\q"', /line 1, column 6: there is no such escape/],
    ['"\\777"', /escape/],
    ['"\\ud800"', /escape/],
    ['1\n"ab', /line 2, column 1: this string does not end/],
    ["(1 (2)", /line 1, column 1: this \( is not closed/],
    ["<( echo (", /script does not end/],
    ["1 %", /line 1, column 3: expected a byte.*found "%"/],
    ["1 💾", /found "💾"/],
    ["@", /expected an offset, found the end/],
    ["base64:AB", /base64/],
    ["1*9E", /too large/],
    ["le32:0x100000000", /does not fit/],
  ])("%j", (text, message) => {
    expect(() => data(text)).toThrow(message);
  });

  it.each<[string, RegExp]>([
    ["1 \\x", /line 1, column 3: \\x has not been defined/],
    ["$nix", /there is no \$nix/],
    ["1 $bad", /line 1, column 3 of \$bad: 256 is no byte/],
    ["$self", /line 1, column 1 of \$other: \$self uses itself/],
    ["</no/such/file", /cannot read \/no\/such\/file: ENOENT/],
    ["1 <( echo oops >&2; exit 7 )", /line 1, column 3: the script failed with exit code 7: oops/],
    ["<( kill -9 $$ )", /ended by SIGKILL/],
    ["(@4E)*2", /2\^63-1/],
    ["@4E 1 @+4E", /2\^63-1/],
    ["@9223372036854775807 1", /2\^63-1/],
    ["1*1T", /more data than there is memory/],
    ["(1 @^2)*1T", /more data than there is memory/],
    ["1 -> \\a (\\a \\a)*1G -> \\b (\\b \\b)*1G -> \\c \\c*1M", /2\^63-1|memory/],
  ])("%j", async (text, message) => {
    const variables = { bad: "2 256", self: "$other", other: "$self" };
    expect(await refusal(text, { variables })).toMatchObject({ message: expect.stringMatching(message) });
  });

  it("nesting without end is refused, not crashed over", async () => {
    expect(() => data("(".repeat(200_000))).toThrow(/not closed/);
    const many = 100_000;
    expect(await refusal(`${"(".repeat(many)}1${")".repeat(many)}`)).toMatchObject({ message: expect.stringMatching(/nested more than/) });
    expect(await refusal(`1${"*2".repeat(many)}`)).toMatchObject({ message: expect.stringMatching(/nested more than/) });
    expect(await refusal(`1${"[0:1]".repeat(many)}`)).toMatchObject({ message: expect.stringMatching(/nested more than/) });
    const chain = Array.from({ length: 5000 }, (_, i) => `\\n${i} -> \\n${i + 1}`).join(" ");
    expect(await refusal(`1 -> \\n0 ${chain} \\n5000`)).toMatchObject({ message: expect.stringMatching(/nested more than/) });
  });

  it("a short text that would be worked through for years is refused, or quick", async () => {
    const doubling = Array.from({ length: 60 }, (_, i) => `(\\n${i} \\n${i}) -> \\n${i + 1}`).join(" ");
    expect((await made(`() -> \\n0 ${doubling} \\n60`)).length).toBe(0);
    expect(await refusal(`1 -> \\n0 ${doubling} \\n60`)).toMatchObject({ code: "ENOMEM" });
    expect(await refusal(`"abcd" -> \\n0 ${doubling} \\n60 \\n60`)).toMatchObject({ message: expect.stringMatching(/2\^63-1|memory/) });
    const variables = Object.fromEntries(Array.from({ length: 61 }, (_, i) => [`v${i}`, i === 60 ? "" : `$v${i + 1} `.repeat(1000)]));
    const error = await refusal("$v57", { variables });
    expect(error).toMatchObject({ message: expect.stringMatching(/more than 10000000 parts/) });
  }, 60_000);

  it.each<[unknown, DataOptions, RegExp]>([
    [undefined, {}, /content: expected/],
    [7, {}, /content: expected/],
    [{}, {}, /content: expected/],
    [null, {}, /content: expected/],
    [[1, 256], {}, /byte 1 of the content is 256/],
    [[1.5], {}, /byte 0 of the content is 1.5/],
    [{ base64: "a" }, {}, /no base64/],
    ["1", { size: -1 }, /size/],
    ["1", { allocator: "zzz" as "sparse" }, /allocator/],
  ])("data(%j, %j)", async (content, options, message) => {
    expect(await refusal(content, options)).toMatchObject({ code: "EINVAL", message: expect.stringMatching(message) });
  });

  it("ends a script when the disk is no longer wanted", async () => {
    const controller = new AbortController();
    const folder = tree();
    const plugin = data(`<( touch ${folder}/began; sleep 1000 )`);
    const opening = Promise.resolve(plugin.start?.({ signal: controller.signal, shutdown: () => undefined }));
    opening.catch(() => undefined);
    const { existsSync } = await import("node:fs");
    while (!existsSync(join(folder, "began"))) await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error("never mind"));
    await expect(opening).rejects.toThrow("never mind");
  });
});

describe("random expressions agree with a plain way to work them out", () => {
  /** An expression's text and its bytes, worked out with arrays. */
  interface Sample {
    readonly text: string;
    readonly bytes: readonly number[];
  }
  const { expression } = fc.letrec<{ expression: Sample; group: Sample }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.nat(255).map((byte) => ({ text: `0x${byte.toString(16)}`, bytes: [byte] })),
      fc.nat(65535).map((word) => ({ text: `be16:${word} `, bytes: [word >> 8, word & 255] })),
      fc.uint8Array({ maxLength: 6 }).map((bytes) => ({ text: `base64:${Buffer.from(bytes).toString("base64")} `, bytes: [...bytes] })),
      fc.stringMatching(/^[a-z ]{0,5}$/).map((text) => ({ text: JSON.stringify(text), bytes: [...Buffer.from(text)] })),
      tie("group"),
      fc.tuple(tie("expression"), fc.nat(9)).map(([of, times]) => ({
        text: `(${of.text})*${times}`,
        bytes: Array.from({ length: times }, () => of.bytes).flat(),
      })),
      fc.tuple(tie("expression"), fc.nat(1000), fc.nat(1000)).map(([of, a, b]) => {
        const start = a % (of.bytes.length + 1);
        const end = start + (b % (of.bytes.length - start + 1));
        return { text: `(${of.text})[${start}:${end}]`, bytes: of.bytes.slice(start, end) };
      }),
      fc.tuple(tie("expression"), tie("expression")).map(([of, other]) => ({
        text: `(${of.text} -> \\n (${other.text}) \\n)`,
        bytes: [...other.bytes, ...of.bytes],
      })),
    ),
    group: fc.array(fc.tuple(fc.constantFrom("", "@", "@+", "@-", "@^"), fc.nat(20), tie("expression")), { maxLength: 5 }).map((items) => {
      const bytes: number[] = [];
      let text = "";
      let at = 0;
      for (const [how, by, item] of items) {
        const align = 2 ** (by % 6);
        if (how === "@") at = by;
        if (how === "@+") at += by;
        if (how === "@-") at -= by % (at + 1);
        if (how === "@^") at = Math.ceil(at / align) * align;
        if (how !== "") text += how === "@^" ? ` @^${align} ` : ` @${at} `;
        while (bytes.length < at) bytes.push(0);
        text += ` (${item.text}) `;
        for (const [i, byte] of item.bytes.entries()) bytes[at + i] = byte;
        at += item.bytes.length;
      }
      return { text: `(${text})`, bytes };
    }),
  }));

  test("of a few bytes, whole and cut", async () => {
    await fc.assert(
      fc.asyncProperty(expression, fc.nat(300), async ({ text, bytes }, size) => {
        expect([...(await made(text))]).toEqual(bytes);
        const cut = [...bytes, ...new Array<number>(300).fill(0)].slice(0, size);
        expect([...(await made(text, { size }))]).toEqual(cut);
      }),
      { numRuns: 300 },
    );
  });

  test("across pages, with holes", async () => {
    await fc.assert(
      fc.asyncProperty(expression, fc.integer({ min: 1, max: 70_000 }), fc.nat(5), async ({ text, bytes }, unit, times) => {
        const once = [...bytes, ...new Array<number>(Math.max(0, unit - bytes.length)).fill(0)];
        const whole = Buffer.concat(Array.from({ length: times }, () => Buffer.from(once)));
        const from = Math.min(whole.length, 3);
        expect((await made(`((${text}) @${once.length})*${times} [${from}:]`)).equals(whole.subarray(from))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe("conformance", () => {
  testPlugin({
    test,
    factory: () => data('( "some data" @100 )*1000 @200000 ( 1 2 3 )*10000 @400000', { size: "400001" }),
    expect: { write: true, flush: true, trim: true, zero: true, fua: "native", multiConn: true },
  });
});
