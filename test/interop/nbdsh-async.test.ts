// libnbd with many requests in flight: every answer finds its request, whatever the order, also when one side wishes to leave.

import { once } from "node:events";
import { expect, it } from "vitest";
import { type Plugin, pipe } from "../../src/contract/index.ts";
import { noise } from "../fixtures/bytes.ts";
import { deferred } from "../fixtures/deferred.ts";
import { nbdsh } from "../fixtures/nbdsh.ts";
import { late, type Operation, ram, when } from "../fixtures/ram.ts";
import { overEach, served } from "../fixtures/served.ts";
import { describeWith } from "../fixtures/tools.ts";

const MiB = 1024 * 1024;

/** Issues 400 reads of all sizes at once, compares each with what the disk holds, and tells whether they came in the order they were sent. */
const manyReads = `
  h.connect_uri(uri)
  expected = h.pread(1 << 20, 0)
  sizes = [1, 100, 512, 4096, 5000, 65536, 100000]
  wanted = {}
  for turn in range(400):
      size = sizes[turn % len(sizes)]
      offset = (turn * 7919 * 13) % ((1 << 20) - size)
      buffer = nbd.Buffer(size)
      wanted[h.aio_pread(buffer, offset)] = (buffer, offset, size)
  order = wait_for(h, wanted.keys())
  for buffer, offset, size in wanted.values():
      assert bytes(buffer.to_bytearray()) == expected[offset:offset + size], (offset, size)
  result["in order"] = order == sorted(order)
`;

describeWith(["nbdsh"], "nbdsh with many requests in flight", () => {
  overEach((reach) => {
    it("gets each answer right, from a disk that answers at once", async () => {
      const { uri } = await served(reach, ram(noise(MiB)));
      expect(await nbdsh(uri, manyReads)).toEqual({ "in order": true });
    });

    it("gets each answer right, in any order, from a disk that answers late", async () => {
      const { uri } = await served(reach, pipe(ram(noise(MiB)), late(10)));
      expect(await nbdsh(uri, manyReads)).toEqual({ "in order": false });
    });

    it.each([
      ["requests", { requestsInFlight: 3 }, 3],
      ["bytes", { bytesInFlight: 500_000 }, 599_999],
    ] as const)("gets each answer right from a server that takes few %s at once", async (what, limits, bound) => {
      let [now, most] = [0, 0];
      const counted = when(async (operation, _offset, length) => {
        if (operation !== "read" || length === BigInt(MiB)) return;
        const weight = what === "bytes" ? Number(length) : 1;
        now += weight;
        most = Math.max(most, now);
        await new Promise((resolve) => setImmediate(resolve));
        now -= weight;
      });
      const { uri } = await served(reach, pipe(ram(noise(MiB)), counted), { limits });
      await nbdsh(uri, manyReads);
      expect(most).toBeLessThanOrEqual(bound);
      expect(most).toBeGreaterThan(bound / 3);
    });

    it("has no more lists of extents, or ranges to zero, under way than there is memory for", async () => {
      const now = new Map<Operation, number>();
      const most = new Map<Operation, number>();
      const counted = when(async (operation) => {
        const count = (now.get(operation) ?? 0) + 1;
        now.set(operation, count);
        most.set(operation, Math.max(most.get(operation) ?? 0, count));
        await new Promise((resolve) => setImmediate(resolve));
        now.set(operation, (now.get(operation) ?? 0) - 1);
      });
      const { uri } = await served(reach, pipe(ram(64 * MiB), counted));
      const script = `
        h.add_meta_context("base:allocation")
        h.connect_uri(uri)
        wait_for(h, [h.aio_block_status(65536, 0, lambda *chunk: 0) for turn in range(200)])
        wait_for(h, [h.aio_zero(64 << 20, 0) for turn in range(200)])
        wait_for(h, [h.aio_cache(64 << 20, 0) for turn in range(200)])
      `;
      await nbdsh(uri, script);
      expect(most.get("extents")).toBeLessThanOrEqual(16);
      expect(most.get("cache")).toBeLessThanOrEqual(64);
      expect(most.get("zero")).toBeLessThanOrEqual(64);
    });

    it.each(["at once", "late"])("mixes reads, writes, zeroes, trims and flushes on a disk that answers %s", async (how) => {
      const disk = ram(4 * MiB);
      const { uri } = await served(reach, how === "late" ? pipe(disk, late(5, 3)) : disk);
      const script = `
        h.connect_uri(uri)
        import random
        numbers = random.Random(1)
        model = bytearray(4 << 20)
        for turn in range(8):
            cookies = []
            # Each request of a turn has 64 KiB for itself.
            for slot in range(64):
                start = slot * 65536
                kind = (slot * 5 + turn * 3) % 7
                at, length = start + 13 * turn, 65536 - 26 * turn - slot
                if kind in (0, 1, 2):
                    data = numbers.randbytes(length)
                    cookies.append(h.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(data)), at, flags=nbd.CMD_FLAG_FUA if kind == 2 else 0))
                    model[at:at + length] = data
                elif kind == 3:
                    cookies.append(h.aio_zero(length, at))
                    model[at:at + length] = bytes(length)
                elif kind == 4:
                    cookies.append(h.aio_trim(length, at))
                    model[at:at + length] = bytes(length)
                elif kind == 5:
                    buffer = nbd.Buffer(65536)
                    cookies.append(h.aio_pread(buffer, start))
                else:
                    cookies.append(h.aio_flush())
            wait_for(h, cookies)
            assert h.pread(4 << 20, 0) == bytes(model), turn
        result["done"] = True
      `;
      expect(await nbdsh(uri, script)).toEqual({ done: true });
    });

    it("sees on every connection what was flushed on one", async () => {
      const { uri, server } = await served(reach, ram(MiB));
      const script = `
        handles = []
        for turn in range(8):
            handle = nbd.NBD()
            handle.connect_uri(uri)
            assert handle.can_multi_conn()
            handles.append(handle)
        for turn, writer in enumerate(handles):
            data = bytes([turn + 1]) * 100000
            writer.pwrite(data, turn * 1000)
            writer.flush()
            for reader in handles:
                assert reader.pread(100000, turn * 1000) == data
        for handle in handles:
            handle.shutdown()
      `;
      await nbdsh(uri, script);
      await server.close();
    });

    it("leaves with requests in flight: the server finishes them first", async () => {
      const disk = ram(MiB);
      const { uri, server } = await served(reach, pipe(disk, late(20, 9)));
      const script = `
        h.connect_uri(uri)
        results = []
        for slot in range(64):
            h.aio_pwrite(nbd.Buffer.from_bytearray(bytearray([slot + 1]) * 16384), slot * 16384,
                         completion=lambda err: results.append(err.value) or 1)
        h.aio_disconnect(0)
        while not h.aio_is_closed():
            h.poll(-1)
        result["errors"] = sorted(set(results))
        result["answered"] = len(results)
      `;
      expect(await nbdsh(uri, script)).toEqual({ errors: [0], answered: 64 });
      const slots = Array.from({ length: 64 }, (_, slot) => disk.bytes[slot * 16384]);
      expect(slots).toEqual(Array.from({ length: 64 }, (_, slot) => slot + 1));
      await server.close();
    });

    it("shuts down in order, after its own requests", async () => {
      const { uri, server } = await served(reach, pipe(ram(MiB), late(10)));
      const script = `
        h.connect_uri(uri)
        answers = []
        for slot in range(32):
            h.aio_pread(nbd.Buffer(1000), slot * 1000, completion=lambda err: answers.append(err.value) or 1)
        h.shutdown()
        result["answers"] = answers
      `;
      expect(await nbdsh(uri, script)).toEqual({ answers: Array(32).fill(0) });
      await server.close();
    });

    it("is told of the server's shutdown by every request that it cuts short", async () => {
      let arrived = 0;
      const all = deferred();
      const stuck: Plugin = {
        name: "stuck",
        open: ({ signal }) => ({
          size: BigInt(MiB),
          async read() {
            arrived += 1;
            if (arrived === 16) all.resolve();
            await once(signal, "abort");
            signal.throwIfAborted();
          },
        }),
      };
      const { uri, server } = await served(reach, stuck);
      const script = `
        h.connect_uri(uri)
        answers = []
        for slot in range(16):
            h.aio_pread(nbd.Buffer(1000), slot * 1000, completion=lambda err: answers.append(errno.errorcode[err.value]) or 1)
        while len(answers) < 16:
            h.poll(-1)
        result["answers"] = answers
      `;
      const answers = nbdsh(uri, script);
      await all.promise;
      const closing = server.close({ deadline: 100 });
      expect(await answers).toEqual({ answers: Array(16).fill("ESHUTDOWN") });
      await closing;
    });
  });
});
