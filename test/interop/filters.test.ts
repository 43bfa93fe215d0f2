// libnbd's tools, qemu and fio on disks that are seen through filters, written as an author would write them.

import { expect, it } from "vitest";
import { type Connection, DiskError, type Filter, filter, pipe } from "../../src/contract/index.ts";
import { holey, noise, writeSparse } from "../fixtures/bytes.ts";
import { nbdsh } from "../fixtures/nbdsh.ts";
import { ram } from "../fixtures/ram.ts";
import { run } from "../fixtures/run.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";

const MiB = 1024 * 1024;

/** Changes nothing. */
const passThrough: Filter = filter("pass-through", () => ({}));

/** Part of a disk. */
function slice(start: bigint, size: bigint): Filter {
  return filter("slice", (disk) => {
    if (start + size > disk.size)
      throw new DiskError("EINVAL", `the slice ends at ${start + size}, past the end of the disk (${disk.size} bytes)`);
    return {
      size,
      read: (target, at) => disk.read(target, at + start),
      views: (at, length) => disk.views?.(at + start, length),
      write: (source, at, flags) => disk.write(source, at + start, flags),
      trim: (at, length, flags) => disk.trim(at + start, length, flags),
      zero: (at, length, flags) => disk.zero(at + start, length, flags),
      cache: (at, length) => disk.cache(at + start, length),
      async extents(at, length, flags) {
        const extents = await disk.extents(at + start, length, flags);
        return extents.map((extent) => ({ ...extent, offset: extent.offset - start }));
      },
    };
  });
}

/** Keeps every byte inverted. */
const inverted: Filter = filter("inverted", (disk) => ({
  async read(target, at) {
    await disk.read(target, at);
    for (let i = 0; i < target.length; i += 1) target[i] = ~(target[i] as number);
  },
  write: (source, at, flags) =>
    disk.write(
      source.map((byte) => ~byte),
      at,
      flags,
    ),
  zero: undefined,
  trim: undefined,
  extents: undefined,
}));

/** A disk as a class. */
class Letters implements Connection {
  readonly size = BigInt(MiB);
  readonly #letter = 0x41;
  read(target: Uint8Array): void {
    target.fill(this.#letter);
  }
}

const image = holey(8 * MiB, [
  [0, 65536],
  [3 * MiB + 4096, MiB],
  [8 * MiB - 1000, 1000],
]);

describeWith(["nbdinfo", "nbdcopy", "nbdsh", "qemu-img", "qemu-io", "fio"], "through filters", () => {
  overEach((reach) => {
    it("that change nothing, nbdinfo sees no difference", async () => {
      const disk = ram(image, { description: "the same", contexts: [{ name: "x-test:none", extents: () => [] }] });
      const { uriOf } = await served(reach, { plain: disk, filtered: pipe(disk, passThrough, passThrough, passThrough) });
      const [plain, filtered] = await Promise.all(
        ["plain", "filtered"].map(async (name) => {
          const about = (await run("nbdinfo", ["--json", uriOf(name)])).stdout;
          const map = (await run("nbdinfo", ["--json", "--map", uriOf(name)])).stdout;
          return (about + map).replaceAll(name, "");
        }),
      );
      expect(filtered).toBe(plain);
    });

    it("that show a slice, nbdcopy touches nothing beyond it, and the map begins where the slice does", async () => {
      const from = `${tree()}/from.img`;
      writeSparse(from, image);
      const around = noise(10 * MiB);
      const disk = ram(around);
      const { uri } = await served(reach, pipe(disk, slice(BigInt(MiB), BigInt(image.length)), passThrough));
      await run("nbdcopy", ["--connections=4", from, uri]);
      expect(disk.bytes.equals(Buffer.concat([around.subarray(0, MiB), image, around.subarray(9 * MiB)]))).toBe(true);
      const map = JSON.parse((await run("nbdinfo", ["--map", "--json", uri])).stdout) as { offset: number; length: number; type: number }[];
      expect(map.map(({ offset, type }) => [offset, type])).toEqual([
        [0, 0],
        [65536, 3],
        [3 * MiB + 4096, 0],
        [4 * MiB + 4096, 3],
        [8 * MiB - 4096, 0],
      ]);
      await run("qemu-img", ["compare", "-f", "raw", "-F", "raw", from, uri]);
    });

    it("that show a slice, its end is the end", async () => {
      const disk = ram(10 * MiB);
      const { uri } = await served(reach, pipe(disk, slice(1000n, 4097n)));
      const script = `
        h.set_strict_mode(0)
        h.connect_uri(uri)
        h.pwrite(b"end", 4094)
        result["size"] = h.get_size()
        result["across"] = [failure(h.pread, 2, 4096), failure(h.pwrite, b"xx", 4096), failure(h.zero, 2, 4096), failure(h.trim, 2, 4096)]
      `;
      expect(await nbdsh(uri, script)).toEqual({ size: 4097, across: ["EINVAL", "ENOSPC", "ENOSPC", "EINVAL"] });
      expect(disk.bytes.toString("latin1", 5093, 5099)).toBe("\0end\0\0");
    });

    it("that cannot open, the client is told why", async () => {
      const { uri } = await served(reach, pipe(ram(MiB), slice(1000n, BigInt(MiB))));
      const { stderr } = await run("qemu-img", ["info", uri], { status: 1 });
      expect(stderr).toContain("the slice ends at 1049576, past the end of the disk (1048576 bytes)");
    });

    it("that change every byte, qemu-img and fio find what they wrote", async () => {
      const from = `${tree()}/from.img`;
      writeSparse(from, image);
      const disk = ram(image.length);
      const { uri } = await served(reach, pipe(disk, inverted, passThrough));
      await run("qemu-img", ["convert", "-n", "-f", "raw", "-O", "raw", from, uri]);
      await run("qemu-img", ["compare", "-f", "raw", "-F", "raw", from, uri]);
      expect(disk.bytes.equals(image.map((byte) => ~byte))).toBe(true);
      const job = ["--name=job", "--ioengine=nbd", `--uri=${uri}`, "--rw=randwrite", "--bsrange=512-64k", "--iodepth=16", "--size=4M"];
      await run("fio", [...job, "--verify=crc32c", "--verify_fatal=1"], { cwd: tree() });
    });

    it("over a disk that is an instance of a class, it keeps its methods", async () => {
      const { uri } = await served(reach, pipe({ name: "letters", open: () => new Letters() }, passThrough, slice(5n, 70_000n)));
      await run("qemu-io", ["-r", "-f", "raw", "-c", "read -P 65 0 70000", uri]);
    });
  });
});
