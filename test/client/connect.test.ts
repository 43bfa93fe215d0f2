import { duplexPair } from "node:stream";
import { describe, expect, it } from "vitest";
import { connect, connectStream, listContexts, listExports } from "../../src/client/index.ts";
import { extentFlags, isDisk, writeFlags, zeroFlags } from "../../src/contract/index.ts";
import { FakeClient, type FakeExport, type FakeRequest, fakeServer } from "./fake-server.ts";
import * as wire from "./wire.ts";

const everything =
  wire.SEND_FLUSH | wire.SEND_FUA | wire.SEND_TRIM | wire.SEND_WRITE_ZEROES | wire.SEND_FAST_ZERO | wire.SEND_CACHE | wire.ROTATIONAL;

/** A server of one good export that answers everything; `requests` are what it was asked. */
async function goodServer(fake: FakeExport = {}, fill = 0): Promise<{ uri: string; requests: FakeRequest[] }> {
  const requests: FakeRequest[] = [];
  const { uri } = await fakeServer(async (client) => {
    await client.negotiate(fake);
    requests.push(...(await client.serve(fill)));
  });
  return { uri, requests };
}

/** What is telling of a request. */
function brief({ command, flags, offset, length }: FakeRequest): unknown[] {
  return [command, flags, offset, length];
}

describe("connect", () => {
  it("gives a Disk that knows what was agreed on", async () => {
    const { uri } = await goodServer({
      size: 12345n,
      flags: everything,
      replies: "extended",
      infos: [
        wire.optionReply(wire.GO, wire.INFO, wire.join(wire.u16(1), "canonical")),
        wire.optionReply(wire.GO, wire.INFO, wire.join(wire.u16(2), "what it is")),
        wire.blockSizeInfo(1, 4096, 1 << 20),
      ],
    });
    await using disk = await connect(uri);
    expect(isDisk(disk)).toBe(true);
    expect(disk).toMatchObject({
      size: 12345n,
      exportName: "canonical",
      description: "what it is",
      blockSize: { minimum: 1, preferred: 4096, maximum: 1 << 20 },
      uri,
      negotiated: { structured: true, extended: true, connections: 1, tls: false, flags: everything | 1 },
      capabilities: {
        write: true,
        flush: true,
        trim: true,
        zero: true,
        extents: true,
        fua: "native",
        fastZero: true,
        multiConn: false,
        rotational: true,
        cache: "native",
      },
    });
  });

  it("gives a Disk that can do no more than the server", async () => {
    const { uri } = await goodServer({ flags: wire.READ_ONLY, replies: "simple" });
    await using disk = await connect(uri);
    expect(disk.negotiated).toMatchObject({ structured: false, extended: false });
    expect(disk.capabilities).toMatchObject({
      write: false,
      flush: false,
      trim: false,
      zero: false,
      extents: false,
      fua: "none",
      cache: "none",
    });
    expect(() => disk.write(new Uint8Array(1), 0n)).toThrow(expect.objectContaining({ code: "EPERM" }));
    expect(() => disk.cache(0n, 1n)).toThrow(expect.objectContaining({ code: "ENOTSUP" }));
    expect(await disk.extents(0n, 512n)).toEqual([{ offset: 0n, length: 512n, hole: false, zero: false }]);
    await disk.flush();
  });

  it("keeps a disk read-only that could be written, if asked to", async () => {
    const { uri, requests } = await goodServer({ flags: everything });
    const disk = await connect(uri, { readonly: true });
    expect(() => disk.write(new Uint8Array(1), 0n)).toThrow(expect.objectContaining({ code: "EPERM" }));
    expect(disk.capabilities).toMatchObject({ write: false, trim: false, zero: false });
    await disk.close();
    expect(requests.map(({ command }) => command)).toEqual([wire.DISC]);
  });

  it("asks for the most, or for less if told to", async () => {
    const asked: number[][] = [];
    const { uri } = await fakeServer(async (client) => {
      asked.push((await client.negotiate({ replies: "extended" })).map(({ option }) => option));
      await client.serve();
    });
    for (const replies of ["extended", "structured", "simple"] as const) await (await connect(uri, { replies })).close();
    expect(asked).toEqual([
      [wire.EXTENDED_HEADERS, wire.SET_META_CONTEXT, wire.GO],
      [wire.STRUCTURED_REPLY, wire.SET_META_CONTEXT, wire.GO],
      [wire.GO],
    ]);
  });

  it("sends its requests as the protocol wants them", async () => {
    const { uri, requests } = await goodServer({ size: 1n << 40n, flags: everything });
    const disk = await connect(uri);
    await disk.read(new Uint8Array(512), 2n ** 39n);
    await disk.write(Buffer.from("abc"), 7n);
    await disk.write(Buffer.from("abc"), 7n, writeFlags(true));
    await disk.flush();
    await disk.trim(1n, 2n, writeFlags(true));
    await disk.zero(1n, 2n);
    await disk.zero(1n, 2n, zeroFlags(true, true, true));
    await disk.cache(1n, 2n);
    await disk.close();
    expect(requests.map(brief)).toEqual([
      [wire.READ, 0, 2n ** 39n, 512n],
      [wire.WRITE, 0, 7n, 3n],
      [wire.WRITE, wire.FUA, 7n, 3n],
      [wire.FLUSH, 0, 0n, 0n],
      [wire.TRIM, wire.FUA, 1n, 2n],
      [wire.ZERO, 0, 1n, 2n],
      [wire.ZERO, wire.FUA | wire.NO_HOLE | wire.FAST_ZERO, 1n, 2n],
      [wire.CACHE, 0, 1n, 2n],
      [wire.DISC, 0, 0n, 0n],
    ]);
    expect(requests[1]?.payload.toString()).toBe("abc");
    expect(new Set(requests.slice(0, -1).map(({ cookie }) => cookie)).size).toBe(requests.length - 1);
  });

  it("sends 64-bit lengths with extended headers, and says which requests have a payload", async () => {
    const { uri, requests } = await goodServer({ size: 2n ** 63n - 1n, flags: everything, replies: "extended" }, 0x41);
    const disk = await connect(uri);
    const target = new Uint8Array(3);
    await disk.read(target, 2n ** 63n - 4n);
    expect(target).toEqual(new Uint8Array(3).fill(0x41));
    await disk.write(Buffer.from("abc"), 7n, writeFlags(true));
    await disk.zero(0n, 2n ** 63n - 1n);
    await disk.trim(1n, 2n ** 40n);
    await disk.close();
    expect(requests.map(brief)).toEqual([
      [wire.READ, 0, 2n ** 63n - 4n, 3n],
      [wire.WRITE, wire.FUA | wire.PAYLOAD_LEN, 7n, 3n],
      [wire.ZERO, 0, 0n, 2n ** 63n - 1n],
      [wire.TRIM, 0, 1n, 2n ** 40n],
      [wire.DISC, 0, 0n, 0n],
    ]);
    expect(requests.every(({ magic }) => magic === 0x21e41c71)).toBe(true);
  });

  it("flushes after a write where the server has no FUA", async () => {
    const { uri, requests } = await goodServer({ flags: wire.SEND_FLUSH });
    const disk = await connect(uri);
    await disk.write(Buffer.from("abc"), 0n, writeFlags(true));
    await disk.close();
    expect(requests.map(({ command, flags }) => [command, flags])).toEqual([
      [wire.WRITE, 0],
      [wire.FLUSH, 0],
      [wire.DISC, 0],
    ]);
  });

  it("keeps many requests under way and takes their replies in any order", async () => {
    const { uri } = await fakeServer(async (client) => {
      await client.negotiate();
      const requests = await client.requests(50);
      for (const request of requests.reverse()) client.data(request, Number(request.offset));
      await client.serve();
    });
    await using disk = await connect(uri);
    const targets = Array.from({ length: 50 }, () => Buffer.alloc(100));
    await Promise.all(targets.map((target, index) => disk.read(target, BigInt(index))));
    for (const [index, target] of targets.entries()) expect(target.equals(Buffer.alloc(100, index))).toBe(true);
  });

  it("sends what is asked in one turn in one piece", async () => {
    const arrived: number[] = [];
    const { uri } = await fakeServer(async (client) => {
      await client.negotiate();
      client.stream.on("data", (bytes: Buffer) => arrived.push(bytes.length));
      await client.serve();
    });
    const disk = await connect(uri);
    await Promise.all(Array.from({ length: 100 }, () => disk.read(new Uint8Array(1), 0n)));
    expect(arrived).toEqual([100 * 28]);
    await disk.close();
  });

  it("is closed after the requests under way have been answered", async () => {
    const { uri, played } = await fakeServer(async (client) => {
      await client.negotiate();
      const request = await client.request();
      await new Promise((resolve) => setImmediate(resolve));
      expect(client.unread).toBe(0);
      client.data(request, 1);
      expect((await client.serve()).map(({ command }) => command)).toEqual([wire.DISC]);
    });
    const disk = await connect(uri);
    const target = new Uint8Array(1);
    const reading = disk.read(target, 0n);
    const closing = disk.close();
    expect(() => disk.read(target, 0n)).toThrow(expect.objectContaining({ code: "ESHUTDOWN" }));
    await reading;
    expect(target[0]).toBe(1);
    await closing;
    await played();
  });

  it("works over any stream", async () => {
    const [ours, theirs] = duplexPair();
    const server = new FakeClient(theirs);
    const playing = (async () => {
      const options = await server.negotiate();
      expect(options.at(-1)?.data.toString("latin1", 4, 8)).toBe("name");
      await server.serve(9);
    })();
    const disk = await connectStream(ours, { exportName: "name" });
    expect(disk.uri).toBeUndefined();
    const target = Buffer.alloc(100_000);
    await disk.read(target, 0n);
    expect(target.equals(Buffer.alloc(100_000, 9))).toBe(true);
    await disk.close();
    await playing;
  });

  it("reads into shared memory, and writes from it", async () => {
    const { uri, requests } = await goodServer({}, 3);
    await using disk = await connect(uri);
    const target = new Uint8Array(new SharedArrayBuffer(200_000));
    await disk.read(target, 0n);
    expect(target.every((byte) => byte === 3)).toBe(true);
    target.fill(4);
    await disk.write(target, 0n);
    await disk.close();
    expect(requests[1]?.payload.equals(Buffer.alloc(200_000, 4))).toBe(true);
  });
});

describe("a request that is longer than the server takes", () => {
  it("is sent in pieces of its maximum block size, all at once", async () => {
    const fake = { flags: everything, infos: [wire.blockSizeInfo(1, 4096, 8192)] };
    const seen: FakeRequest[] = [];
    const { uri } = await fakeServer(async (client) => {
      await client.negotiate(fake);
      const reads = await client.requests(3);
      for (const [index, request] of reads.entries()) client.data(request, index + 1);
      const writes = await client.requests(3);
      for (const request of writes) client.done(request);
      const caches = await client.requests(2);
      for (const request of caches) client.done(request);
      seen.push(...reads, ...writes, ...caches);
      await client.serve();
    });
    await using disk = await connect(uri);
    const target = Buffer.alloc(20_000);
    await disk.read(target, 5n);
    expect([...new Set(target)]).toEqual([1, 2, 3]);
    await disk.write(Buffer.alloc(20_000, "w"), 5n, writeFlags(true));
    await disk.cache(0n, 10_000n);
    expect(seen.map(brief)).toEqual([
      [wire.READ, 0, 5n, 8192n],
      [wire.READ, 0, 8197n, 8192n],
      [wire.READ, 0, 16389n, 3616n],
      [wire.WRITE, wire.FUA, 5n, 8192n],
      [wire.WRITE, wire.FUA, 8197n, 8192n],
      [wire.WRITE, wire.FUA, 16389n, 3616n],
      [wire.CACHE, 0, 0n, 8192n],
      [wire.CACHE, 0, 8192n, 1808n],
    ]);
  });

  it("is held to 32 MiB where the server says nothing, or says that it takes anything", async () => {
    for (const infos of [[], [wire.blockSizeInfo(1, 4096, 0xffffffff)]]) {
      const { uri, requests } = await goodServer({ size: 1n << 30n, infos });
      const disk = await connect(uri);
      await disk.read(Buffer.allocUnsafe((32 << 20) + 1), 0n);
      await disk.close();
      expect(requests.map(({ length }) => length)).toEqual([32n << 20n, 1n, 0n]);
    }
  });

  it("is cut below 4 GiB where headers are not extended, at a multiple of every block size", async () => {
    const { uri, requests } = await goodServer({ size: 2n ** 63n - 1n, flags: everything });
    const disk = await connect(uri);
    await disk.zero(0n, 10n * 2n ** 30n, zeroFlags(true, false, true));
    await disk.trim(65536n, 5n * 2n ** 30n);
    await disk.close();
    const most = 2n ** 32n - 65536n;
    const flags = wire.FUA | wire.FAST_ZERO;
    expect(requests.map(brief)).toEqual([
      [wire.ZERO, flags, 0n, most],
      [wire.ZERO, flags, most, most],
      [wire.ZERO, flags, 2n * most, 10n * 2n ** 30n - 2n * most],
      [wire.TRIM, 0, 65536n, most],
      [wire.TRIM, 0, 65536n + most, 5n * 2n ** 30n - most],
      [wire.DISC, 0, 0n, 0n],
    ]);
  });

  it("fails as its first failing piece does, once nobody writes to the buffer any more, and begins no more pieces", async () => {
    const { uri, played } = await fakeServer(async (client) => {
      await client.negotiate({ infos: [wire.blockSizeInfo(1, 512, 512)] });
      const requests = await client.requests(16);
      client.chunk(requests[1] as FakeRequest, wire.DONE, wire.ERROR, wire.errorPayload(5, "bad sector"));
      for (const request of requests) if (request !== requests[1]) client.data(request, 1);
      expect((await client.serve()).map(({ command }) => command)).toEqual([wire.DISC]);
    });
    const disk = await connect(uri);
    await expect(disk.read(new Uint8Array(512 * 100), 0n)).rejects.toMatchObject({
      code: "EIO",
      message: "cannot read 512 bytes at 512: the server answers EIO: bad sector",
    });
    await disk.close();
    await played();
  });
});

describe("a minimum block size", () => {
  const infos = [wire.blockSizeInfo(512, 4096, 1 << 20)];

  it("is kept: what is not whole blocks is refused here", async () => {
    const { uri, requests } = await goodServer({ size: 8192n, flags: everything, infos });
    const disk = await connect(uri);
    await disk.read(new Uint8Array(1024), 512n);
    for (const attempt of [
      () => disk.read(new Uint8Array(5), 0n),
      () => disk.read(new Uint8Array(512), 5n),
      () => disk.write(new Uint8Array(100), 0n),
      () => disk.trim(0n, 513n),
      () => disk.zero(1n, 512n),
    ]) {
      expect(attempt).toThrow(
        expect.objectContaining({ code: "EINVAL", message: expect.stringContaining("whole blocks of 512 bytes only") }),
      );
    }
    await disk.close();
    expect(requests.map(({ command }) => command)).toEqual([wire.READ, wire.DISC]);
  });

  it("does not keep anybody from asking about extents", async () => {
    const { uri, played } = await fakeServer(async (client) => {
      await client.negotiate({ size: 8192n, infos });
      const request = await client.request();
      expect(brief(request)).toEqual([wire.BLOCK_STATUS, 0, 512n, 1024n]);
      client.chunk(
        request,
        wire.DONE,
        wire.STATUS,
        wire.statusPayload(1, [
          [512, 3],
          [512, 0],
        ]),
      );
      await client.serve();
    });
    const disk = await connect(uri);
    expect(await disk.extents(600n, 500n)).toEqual([
      { offset: 600n, length: 424n, hole: true, zero: true },
      { offset: 1024n, length: 76n, hole: false, zero: false },
    ]);
    await disk.close();
    await played();
  });
});

describe("extents and contexts", () => {
  it("are the block status of the context that is asked about", async () => {
    const contexts = ["base:allocation", "qemu:dirty-bitmap:b0", "x-mine:thing"];
    const { uri, played } = await fakeServer(async (client) => {
      await client.negotiate({ contexts });
      for (let round = 0; round < 2; round += 1) {
        const request = await client.request();
        client.chunk(
          request,
          wire.MORE,
          wire.STATUS,
          wire.statusPayload(1, [
            [512, 2],
            [512, 4],
          ]),
        );
        client.chunk(request, wire.DONE, wire.STATUS, wire.statusPayload(2, [[1024, 1]]));
      }
      await client.serve();
    });
    const disk = await connect(uri, { contexts: ["qemu:dirty-bitmap:b0"] });
    expect(disk.contexts.map(({ name }) => name)).toEqual(["qemu:dirty-bitmap:b0"]);
    expect(await disk.extents(0n, 1024n)).toEqual([
      { offset: 0n, length: 512n, hole: false, zero: true },
      { offset: 512n, length: 512n, hole: false, zero: false },
    ]);
    expect(await disk.contexts[0]?.extents(0n, 1024n)).toEqual([{ offset: 0n, length: 1024n, status: 1n }]);
    await disk.close();
    await played();
  });

  it("that nobody knows how to name are left out", async () => {
    const odd = [":leaf", "base:new", "nocolon"];
    const { uri } = await fakeServer(async (client) => {
      await client.greet();
      client.send(wire.optionReply((await client.option()).option, wire.UNSUP), wire.optionReply(wire.STRUCTURED_REPLY, wire.ACK));
      await client.option();
      const { option } = await client.option();
      client.send(
        ...["base:allocation", ...odd].map((name, id) => wire.contextReply(option, id, name)),
        wire.optionReply(option, wire.ACK),
      );
      await client.haggle({});
      await client.serve();
    });
    await using disk = await connect(uri);
    expect(disk.contexts).toEqual([]);
    expect(disk.capabilities.extents).toBe(true);
  });

  it("can be asked for one at a time", async () => {
    const { uri, played } = await fakeServer(async (client) => {
      await client.negotiate();
      const request = await client.request();
      expect(request.flags).toBe(wire.REQ_ONE);
      client.chunk(request, wire.DONE, wire.STATUS, wire.statusPayload(1, [[100, 3]]));
      await client.serve();
    });
    const disk = await connect(uri);
    expect(await disk.extents(0n, 1024n, extentFlags(true))).toEqual([{ offset: 0n, length: 100n, hole: true, zero: true }]);
    await disk.close();
    await played();
  });

  it("of more than 4 GiB need no second request with extended headers", async () => {
    const { uri, played } = await fakeServer(async (client) => {
      await client.negotiate({ size: 2n ** 62n, replies: "extended" });
      const request = await client.request();
      expect(request.length).toBe(2n ** 62n);
      client.chunk(request, wire.DONE, wire.STATUS_EXT, wire.extendedStatusPayload(1, [[2n ** 62n, 3n]]));
      await client.serve();
    });
    const disk = await connect(uri);
    expect(await disk.extents(0n, disk.size)).toEqual([{ offset: 0n, length: 2n ** 62n, hole: true, zero: true }]);
    await disk.close();
    await played();
  });

  it("are asked for by number where the server can tell of one context alone", async () => {
    const { uri, played } = await fakeServer(async (client) => {
      const contexts = ["base:allocation", "x-mine:thing"];
      await client.negotiate({ size: 2n ** 40n, flags: wire.BLOCK_STATUS_PAYLOAD, replies: "extended", contexts });
      const request = await client.request();
      expect(brief(request)).toEqual([wire.BLOCK_STATUS, wire.PAYLOAD_LEN, 512n, 12n]);
      expect(request.payload).toEqual(wire.join(wire.u64(2n ** 33n), wire.u32(2)));
      client.chunk(request, wire.DONE, wire.STATUS_EXT, wire.extendedStatusPayload(2, [[2n ** 33n, 2n ** 40n]]));
      await client.serve();
    });
    const disk = await connect(uri, { contexts: ["x-mine:thing"] });
    expect(await disk.contexts[0]?.extents(512n, 2n ** 33n)).toEqual([{ offset: 512n, length: 2n ** 33n, status: 2n ** 40n }]);
    await disk.close();
    await played();
  });
});

describe("what a server has to offer", () => {
  it("is listed without opening a disk", async () => {
    const { uri, played } = await fakeServer(async (client, number) => {
      await client.greet();
      expect((await client.option()).option).toBe(number === 0 ? wire.LIST : wire.STRUCTURED_REPLY);
      if (number === 0) {
        client.send(wire.serverReply("a", "first"), wire.serverReply("b"), wire.optionReply(wire.LIST, wire.ACK));
      } else {
        client.send(wire.optionReply(wire.STRUCTURED_REPLY, wire.ACK));
        const asked = await client.option();
        expect(asked.data).toEqual(wire.join(wire.u32(3), "the", wire.u32(1), wire.u32(5), "qemu:"));
        client.send(wire.contextReply(wire.LIST_META_CONTEXT, 0, "qemu:x"), wire.optionReply(wire.LIST_META_CONTEXT, wire.ACK));
      }
      expect((await client.option()).option).toBe(wire.ABORT);
      expect((await client.gone()).length).toBe(0);
      client.stream.end();
    });
    expect(await listExports(uri)).toEqual([{ name: "a", description: "first" }, { name: "b" }]);
    expect(await listContexts(uri.replace("/?", "/the?"), { queries: ["qemu:"] })).toEqual(["qemu:x"]);
    await played();
  });
});
