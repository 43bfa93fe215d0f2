// libnbd's every request, with every flag, and what the disk behind the server gets to see of it.

import { expect, it } from "vitest";
import { pipe } from "../../src/contract/index.ts";
import { holey, noise } from "../fixtures/bytes.ts";
import { nbdsh } from "../fixtures/nbdsh.ts";
import { late, PAGE, ram } from "../fixtures/ram.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";

const MiB = 1024 * 1024;

/** Data, 128 KiB of hole, data, a page of hole, data to the end. */
const striped = holey(MiB, [
  [0, 131072],
  [262144, 65536],
  [262144 + 65536 + PAGE, MiB - 262144 - 65536 - PAGE],
]);

describeWith(["nbdsh"], "nbdsh requests", () => {
  overEach((reach) => {
    it("reads data and holes as chunks of their own", async () => {
      const { uri } = await served(reach, ram(striped));
      const script = `
        h.connect_uri(uri)
        data, chunks = chunks_of(h, 1048576, 0)
        result["chunks"] = chunks
        result["same"] = data == h.pread(1048576, 0)
        result["hole alone"] = chunks_of(h, 65536, 131072 + 100)[1]
        result["a small read"] = chunks_of(h, 4096, 131072)[1]
      `;
      const rest = 262144 + 65536 + PAGE;
      expect(await nbdsh(uri, script)).toEqual({
        chunks: [
          ["data", 0, 131072],
          ["hole", 131072, 131072],
          ["data", 262144, 65536],
          ["hole", 262144 + 65536, PAGE],
          ["data", rest, MiB - rest],
        ],
        same: true,
        "hole alone": [["hole", 131072 + 100, 65536]],
        "a small read": [["data", 131072, 4096]],
      });
    });

    it("reads in one piece when it says so", async () => {
      const { uri } = await served(reach, ram(striped));
      const script = `
        h.connect_uri(uri)
        data, chunks = chunks_of(h, 1048576, 0, nbd.CMD_FLAG_DF)
        result["chunks"] = chunks
        result["same"] = data == h.pread(1048576, 0)
      `;
      expect(await nbdsh(uri, script)).toEqual({ chunks: [["data", 0, MiB]], same: true });
    });

    it.each(["at once", "late"])(
      "reads and writes the first and last byte, and every length around a page, of a disk that answers %s",
      async (how) => {
        const disk = ram(noise(300_001));
        const { uri } = await served(reach, how === "late" ? pipe(disk, late(2)) : disk);
        const script = `
        h.connect_uri(uri)
        model = bytearray(h.pread(300001, 0))
        lengths = [1, 2, 511, 512, 513, 4095, 4096, 4097, 16383, 16384, 16385, 65535, 65536, 65537, 131072, 300001]
        for turn, length in enumerate(lengths):
            for offset in {0, 1, 4095, 300001 - length}:
                if offset + length > 300001:
                    continue
                data = bytes((turn * 7 + i) % 251 for i in range(length))
                h.pwrite(data, offset)
                model[offset:offset + length] = data
                assert h.pread(length, offset) == data, (offset, length)
        result["same"] = h.pread(300001, 0) == bytes(model)
      `;
        expect(await nbdsh(uri, script)).toEqual({ same: true });
      },
    );

    it("reads 64 MiB and writes 32 MiB at once", async () => {
      const bytes = noise(64 * MiB);
      const disk = ram(bytes);
      const { uri } = await served(reach, disk);
      const script = `
        h.connect_uri(uri)
        data = h.pread(64 << 20, 0)
        h.pwrite(data[32 << 20:], 0)
        result["same"] = h.pread(64 << 20, 0) == data[32 << 20:] * 2
      `;
      expect(await nbdsh(uri, script)).toEqual({ same: true });
      expect(disk.bytes.subarray(0, 32 * MiB).equals(bytes.subarray(32 * MiB))).toBe(true);
    });

    it("passes every flag on to a disk that heeds it", async () => {
      const seen: string[] = [];
      const note = (what: string, flags: object): void =>
        void seen.push([what, ...Object.entries(flags).flatMap(([k, v]) => (v ? [k] : []))].join(" "));
      const plugin = ram(65536, {
        write: (_source, offset, flags) => note(`write ${offset}`, flags),
        trim: (offset, length, flags) => note(`trim ${offset} ${length}`, flags),
        zero: (offset, length, flags) => note(`zero ${offset} ${length}`, flags),
        cache: (offset, length) => note(`cache ${offset} ${length}`, {}),
        flush: () => note("flush", {}),
      });
      const { uri } = await served(reach, plugin);
      const script = `
        h.connect_uri(uri)
        FUA, NO_HOLE, FAST = nbd.CMD_FLAG_FUA, nbd.CMD_FLAG_NO_HOLE, nbd.CMD_FLAG_FAST_ZERO
        h.pwrite(b"x" * 512, 0)
        h.pwrite(b"x" * 512, 512, FUA)
        h.trim(4096, 8192)
        h.trim(4096, 8192, FUA)
        h.zero(4096, 0)
        h.zero(4096, 1, FUA)
        h.zero(4096, 2, NO_HOLE)
        h.zero(4096, 3, FAST)
        h.zero(4096, 4, FUA | NO_HOLE | FAST)
        h.cache(1000, 7)
        h.flush()
      `;
      await nbdsh(uri, script);
      expect(seen).toEqual([
        "write 0",
        "write 512 fua",
        "trim 8192 4096",
        "trim 8192 4096 fua",
        "zero 0 4096",
        "zero 1 4096 fua",
        "zero 2 4096 noHole",
        "zero 3 4096 fastZero",
        "zero 4 4096 fua noHole fastZero",
        "cache 7 1000",
        "flush",
      ]);
    });

    it("flushes after a forced write on a disk that knows no FUA", async () => {
      const seen: string[] = [];
      const plugin = ram(65536, {
        traits: {},
        write: (_source, _offset, { fua }) => void seen.push(fua ? "write fua" : "write"),
        flush: () => void seen.push("flush"),
      });
      const { uri } = await served(reach, plugin);
      await nbdsh(uri, `h.connect_uri(uri); h.pwrite(b"x" * 512, 0, nbd.CMD_FLAG_FUA); h.pwrite(b"x" * 512, 0)`);
      expect(seen).toEqual(["write", "flush", "write"]);
    });

    it("zeroes and trims: holes where they may be, allocated zeroes where not", async () => {
      const disk = ram(noise(MiB));
      const { uri } = await served(reach, disk);
      const script = `
        h.add_meta_context("base:allocation")
        h.connect_uri(uri)
        h.zero(65536, 0)
        h.zero(65536, 65536, nbd.CMD_FLAG_NO_HOLE)
        h.trim(65536, 131072)
        h.zero(1000, 262144 + 100)
        result["status"] = status_of(h, 1048576, 0)["base:allocation"]
        result["zero"] = h.pread(196608, 0) == bytes(196608) and h.pread(1000, 262144 + 100) == bytes(1000)
      `;
      expect(await nbdsh(uri, script)).toEqual({
        status: [
          [65536, 3],
          [65536, 0],
          [65536, 3],
          [MiB - 196608, 0],
        ],
        zero: true,
      });
      expect(disk.bytes.subarray(196608, 262244).equals(noise(MiB).subarray(196608, 262244))).toBe(true);
    });

    it("asks for the status of several contexts at once, from any offset, and gets as far as each was listed", async () => {
      const disk = ram(striped, {
        contexts: [
          { name: "x-test:dirty", extents: () => [{ offset: 4096n, length: 4096n, status: 0xffffffffn }] },
          {
            name: "x-test:late",
            async *extents(offset, length) {
              yield { offset, length: length / 2n, status: 7n };
            },
          },
        ],
      });
      const { uri } = await served(reach, disk);
      const script = `
        for name in ["x-test:late", "base:allocation", "x-test:dirty"]:
            h.add_meta_context(name)
        h.connect_uri(uri)
        result["from 0"] = status_of(h, 262144, 0)
        result["from 5000"] = status_of(h, 10000, 5000)
        result["one"] = status_of(h, 262144, 0, nbd.CMD_FLAG_REQ_ONE)
      `;
      expect(await nbdsh(uri, script)).toEqual({
        "from 0": {
          "base:allocation": [
            [131072, 0],
            [131072, 3],
          ],
          "x-test:dirty": [
            [4096, 0],
            [4096, 0xffffffff],
          ],
          "x-test:late": [[131072, 7]],
        },
        "from 5000": {
          "base:allocation": [[10000, 0]],
          "x-test:dirty": [[3192, 0xffffffff]],
          "x-test:late": [[5000, 7]],
        },
        one: { "base:allocation": [[131072, 0]], "x-test:dirty": [[4096, 0]], "x-test:late": [[131072, 7]] },
      });
    });

    it("requests of no bytes succeed, and leave the disk alone", async () => {
      const seen: string[] = [];
      const note = (what: string) => () => void seen.push(what);
      const plugin = ram(65536, { read: note("read"), write: note("write"), trim: note("trim"), zero: note("zero"), cache: note("cache") });
      const { uri } = await served(reach, plugin);
      const script = `
        h.set_strict_mode(h.get_strict_mode() & ~nbd.STRICT_ZERO_SIZE)
        h.connect_uri(uri)
        for offset in [0, 100, 65536]:
            h.pread(0, offset)
            h.pwrite(b"", offset)
            h.trim(0, offset)
            h.zero(0, offset)
            h.cache(0, offset)
            chunks_of(h, 0, offset)
      `;
      await nbdsh(uri, script);
      expect(seen).toEqual([]);
    });

    it("reaches the last byte of the largest disk there is", async () => {
      const seen: string[] = [];
      const plugin = ram(0, {
        size: 2n ** 63n - 1n,
        views: undefined as never,
        read: (target, offset) => void target.fill(Number(offset & 0xffn)),
        write: (source, offset) => void seen.push(`write ${source.length} ${offset}`),
        zero: (offset, length) => void seen.push(`zero ${length} ${offset}`),
        trim: (offset, length) => void seen.push(`trim ${length} ${offset}`),
        extents: (offset, length) => [{ offset, length, hole: true }],
      });
      const { uri } = await served(reach, plugin);
      const script = `
        h.add_meta_context("base:allocation")
        h.connect_uri(uri)
        size = h.get_size()
        assert size == 2 ** 63 - 1
        result["last"] = h.pread(1, size - 1)[0]
        h.pwrite(b"end", size - 3)
        h.zero(2 ** 32 - 1, size - 2 ** 32 + 1)
        h.trim(2 ** 32 - 1, 0)
        result["status"] = status_of(h, 2 ** 32 - 1, size - 2 ** 32 + 1)
        h.set_strict_mode(0)
        result["past the end"] = [failure(h.pread, 1, size), failure(h.pread, 2, size - 1), failure(h.pwrite, b"x", 2 ** 64 - 1)]
      `;
      expect(await nbdsh(uri, script)).toEqual({
        last: 0xfe,
        status: { "base:allocation": [[2 ** 32 - 1, 1]] },
        "past the end": ["EINVAL", "EINVAL", "ENOSPC"],
      });
      const tail = 2n ** 63n - 2n ** 32n;
      expect(seen).toEqual([`write 3 ${2n ** 63n - 4n}`, `zero 4294967295 ${tail}`, "trim 4294967295 0"]);
    });
  });
});
