// nbdinfo tells what a server and its exports are: every word of it must be what the app said.

import { expect, it } from "vitest";
import { type Connection, type Context, parseSize } from "../../src/contract/index.ts";
import { holey } from "../fixtures/bytes.ts";
import { PAGE, ram } from "../fixtures/ram.ts";
import { run } from "../fixtures/run.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";

const MiB = 1024 * 1024;

/** A context of the disk's own: 3 in the second half, 0 before. */
const secondHalf: Context = {
  name: "x-diskwright:half",
  extents: () => [{ offset: BigInt(4 * MiB), length: BigInt(4 * MiB), status: 3n }],
};

/** A disk of any size that holds nothing. */
const nothing = (size: bigint, more: Partial<Connection> = {}) => ({
  name: "nothing",
  open: () => ({ size, read: (target: Uint8Array) => void target.fill(0), ...more }),
});

async function json(...args: readonly string[]): Promise<unknown> {
  const { stdout } = await run("nbdinfo", ["--json", ...args]);
  return JSON.parse(stdout);
}

describeWith(["nbdinfo"], "nbdinfo", () => {
  overEach((reach) => {
    it("reads every property of a disk that can do everything", async () => {
      const plugin = ram(8 * MiB, {
        description: "the first disk",
        contexts: [secondHalf],
        blockSize: { minimum: 512, preferred: 65536, maximum: MiB },
      });
      const { uri } = await served(reach, plugin);
      expect(await json(uri)).toEqual({
        protocol: "newstyle-fixed",
        TLS: false,
        structured: true,
        exports: [
          {
            "export-name": "",
            description: "the first disk",
            content: "data",
            uri,
            contexts: ["base:allocation", "x-diskwright:half"],
            is_rotational: false,
            is_read_only: false,
            can_cache: true,
            can_df: true,
            can_fast_zero: true,
            can_flush: true,
            can_fua: true,
            can_multi_conn: true,
            can_trim: true,
            can_zero: true,
            block_size_minimum: 512,
            block_size_preferred: 65536,
            block_size_maximum: MiB,
            "export-size": 8 * MiB,
            "export-size-str": "8M",
          },
        ],
      });
    });

    it("reads every property of a disk that can do nothing but be read", async () => {
      const { uri } = await served(reach, nothing(12345n, { traits: { cache: "none", rotational: true } }));
      expect(await json(uri)).toEqual({
        protocol: "newstyle-fixed",
        TLS: false,
        structured: true,
        exports: [
          {
            "export-name": "",
            content: "data",
            uri,
            contexts: ["base:allocation"],
            is_rotational: true,
            is_read_only: true,
            can_cache: false,
            can_df: true,
            can_fast_zero: false,
            can_flush: false,
            can_fua: false,
            can_multi_conn: false,
            can_trim: false,
            can_zero: false,
            block_size_minimum: 1,
            block_size_preferred: 4096,
            block_size_maximum: 32 * MiB,
            "export-size": 12345,
            "export-size-str": "12345",
          },
        ],
      });
    });

    it("prints the same for people", async () => {
      const { uri } = await served(reach, { "": { plugin: ram(8 * MiB), description: "for people" } });
      const { stdout } = await run("nbdinfo", [uri]);
      expect(stdout.split("\n").map((line) => line.trim())).toEqual(
        expect.arrayContaining([
          "protocol: newstyle-fixed without TLS, using structured packets",
          'export="":',
          "description: for people",
          "export-size: 8388608 (8M)",
          "base:allocation",
          "is_read_only: false",
          "can_multi_conn: true",
        ]),
      );
    });

    it.each(["0", "1", "511", "2T", String(2n ** 63n - 1n)])("reads a size of %s", async (size) => {
      const { uri } = await served(reach, nothing(parseSize(size)));
      const { stdout } = await run("nbdinfo", ["--size", uri]);
      expect(stdout.trim()).toBe(String(parseSize(size)));
    });

    it("lists exports of every kind of name, with their descriptions", async () => {
      const names = ["", "plain", "with spaces and %25?&=#", "a/path/to/it", "/absolute", "grüße 漢字 🐟", "ü".repeat(2048)];
      const exports = new Map(
        names.map((name, i) => [name, { plugin: ram(512 * (i + 1)), description: `export ${i}: ${name.slice(0, 20)}` }]),
      );
      const { uri, uriOf } = await served(reach, exports);
      const list = (await json("--list", uri)) as { exports: Record<string, unknown>[] };
      expect(list.exports.map((shown) => shown["export-name"])).toEqual(names);
      expect(list.exports.map((shown) => shown.description)).toEqual(names.map((name, i) => `export ${i}: ${name.slice(0, 20)}`));
      expect(list.exports.map((shown) => shown["export-size"])).toEqual(names.map((_, i) => 512 * (i + 1)));

      for (const [i, name] of names.entries()) {
        const { stdout } = await run("nbdinfo", ["--size", uriOf(name)]);
        expect(stdout.trim(), `the size of ${JSON.stringify(name)}`).toBe(String(512 * (i + 1)));
      }
    });

    it("says which of several exports are read-only", async () => {
      const source = { one: ram(512), two: { plugin: ram(512), readonly: true } };
      const { uri, uriOf } = await served(reach, source);
      await run("nbdinfo", ["--is", "read-only", uriOf("one")], { status: 2 });
      await run("nbdinfo", ["--is", "read-only", uriOf("two")]);
      const list = (await json("--list", uri)) as { exports: Record<string, unknown>[] };
      expect(list.exports.map((shown) => [shown["export-name"], shown.is_read_only, shown.can_trim, shown.can_zero])).toEqual([
        ["one", false, true, true],
        ["two", true, false, false],
      ]);
    });

    it("is refused an export that is not there", async () => {
      const { uriOf } = await served(reach, { one: ram(512), two: ram(512) });
      const debug = { status: 1, env: { LIBNBD_DEBUG: "1" } };
      expect((await run("nbdinfo", [uriOf("three")], debug)).stderr).toContain('there is no export "three"');
      expect((await run("nbdinfo", [uriOf("")], debug)).stderr).toContain("there is no default export");
    });

    it("answers --can and --is by its exit code, for a disk that can do everything", async () => {
      const { uri } = await served(reach, ram(MiB));
      for (const question of ["connect", "write", "fua", "multi-conn", "structured-reply"]) await run("nbdinfo", ["--can", question, uri]);
      for (const question of ["read-only", "rotational", "tls"]) await run("nbdinfo", ["--is", question, uri], { status: 2 });
    });

    it("answers --can and --is by its exit code, for a disk that can do nothing but be read", async () => {
      const { uri } = await served(reach, nothing(65536n, { traits: { cache: "none", rotational: true } }));
      await run("nbdinfo", ["--can", "read", uri]);
      for (const question of ["read-only", "rotational"]) await run("nbdinfo", ["--is", question, uri]);
      for (const question of ["write", "cache", "fua", "multi-conn"]) await run("nbdinfo", ["--can", question, uri], { status: 2 });
    });

    const data = [
      [0, PAGE],
      [MiB, MiB],
      [6 * MiB, 100],
    ] as const;
    const expected = [
      { offset: 0, length: PAGE, type: 0, description: "data" },
      { offset: PAGE, length: MiB - PAGE, type: 3, description: "hole,zero" },
      { offset: MiB, length: MiB, type: 0, description: "data" },
      { offset: 2 * MiB, length: 4 * MiB, type: 3, description: "hole,zero" },
      { offset: 6 * MiB, length: PAGE, type: 0, description: "data" },
      { offset: 6 * MiB + PAGE, length: 2 * MiB - PAGE, type: 3, description: "hole,zero" },
    ];

    it("maps data and holes", async () => {
      const { uri } = await served(reach, ram(holey(8 * MiB, data)));
      expect(await json("--map", uri)).toEqual(expected);
      const { stdout } = await run("nbdinfo", ["--map", uri]);
      expect(
        stdout
          .trim()
          .split("\n")
          .map((line) => line.trim().split(/\s+/)),
      ).toEqual(expected.map(({ offset, length, type, description }) => [offset, length, type, description].map(String)));
    });

    it("adds up data and holes", async () => {
      const { uri } = await served(reach, ram(holey(8 * MiB, data)));
      expect(await json("--map", "--totals", uri)).toEqual([
        { size: MiB + 2 * PAGE, percent: expect.closeTo(12.5977, 3), type: 0, description: "data" },
        { size: 7 * MiB - 2 * PAGE, percent: expect.closeTo(87.4023, 3), type: 3, description: "hole,zero" },
      ]);
    });

    it("maps a context of the disk's own", async () => {
      const { uri } = await served(reach, ram(8 * MiB, { contexts: [secondHalf] }));
      expect(await json("--map=x-diskwright:half", uri)).toEqual([
        { offset: 0, length: 4 * MiB, type: 0 },
        { offset: 4 * MiB, length: 4 * MiB, type: 3 },
      ]);
      const { stderr } = await run("nbdinfo", ["--map=x-diskwright:unheard", uri], { status: 1 });
      expect(stderr).toContain("does not support metadata context");
    });

    it("maps a disk that says nothing of its holes as data", async () => {
      const { uri } = await served(reach, nothing(BigInt(8 * MiB)));
      expect(await json("--map", uri)).toEqual([{ offset: 0, length: 8 * MiB, type: 0, description: "data" }]);
    });

    it("maps more than one answer can hold", async () => {
      // The server answers with at most 2^20 extents, and the client asks for at most 4 GiB at once.
      const size = 5n * 2n ** 27n;
      const islands = {
        *extents(offset: bigint, length: bigint) {
          const end = offset + length;
          for (let at = offset - (offset % 1024n); at < end; at += 1024n) yield { offset: at, length: 512n, hole: true, zero: true };
        },
      };
      const { uriOf } = await served(reach, { islands: nothing(size, islands), large: nothing(2n ** 40n) });
      expect(await json("--map", "--totals", uriOf("islands"))).toEqual([
        { size: Number(size / 2n), percent: 50, type: 0, description: "data" },
        { size: Number(size / 2n), percent: 50, type: 3, description: "hole,zero" },
      ]);
      expect(await json("--map", uriOf("large"))).toEqual([{ offset: 0, length: 2 ** 40, type: 0, description: "data" }]);
    });
  });
});
