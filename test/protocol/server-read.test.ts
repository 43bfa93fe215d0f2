// READ: a simple reply with the data after it, or chunks that each say which part of the range they are about.

import { describe, expect, it } from "vitest";
import { type Connection, DiskError, type Plugin } from "../../src/contract/index.ts";
import * as wire from "../client/wire.ts";
import { holey, noise } from "../fixtures/bytes.ts";
import { ram } from "../fixtures/ram.ts";
import { dialled, modes, type RawClient, serving, transmitting } from "../fixtures/raw-client.ts";
import { type Answers, letters, recorder } from "../fixtures/recorder.ts";

const EIO = 5;
const EINVAL = 22;
const EOVERFLOW = 75;
const DF = 4;
const KiB = 1024;
const MiB = 1024 * KiB;

const kinds: readonly Answers[] = ["at once", "later"];

describe.each(modes)("a read with %s replies", (mode) => {
  it("is answered with its cookie, which is opaque, and the data", async () => {
    const client = await transmitting(ram(Buffer.from("the quick brown fox")), { mode });
    client.request({ type: wire.READ, cookie: 0xfedcba9876543210n, offset: 4n, length: 5n });
    await client.expect(client.data(Buffer.from("quick"), 0xfedcba9876543210n, 4n));
    await client.disconnect();
  });

  describe.each(kinds)("of a disk that answers %s", (answers) => {
    it.each([1, 511, 512, 4096, 16 * KiB, 16 * KiB + 1, 64 * KiB, 256 * KiB - 1, MiB, 32 * MiB])(
      "gives all of %i bytes",
      async (length) => {
        const client = await transmitting(recorder(64 * MiB, answers), { mode });
        client.request({ type: wire.READ, offset: 3n, length: BigInt(length) });
        await client.expect(client.data(letters(Buffer.alloc(length), 3n), 1n, 3n));
        await client.disconnect();
      },
    );

    it("succeeds without data when it is about no bytes, and the disk is not asked", async () => {
      const disk = recorder(4096, answers);
      const client = await transmitting(disk, { mode });
      client.request({ type: wire.READ, offset: 4096n, length: 0n });
      await client.expect(mode === "simple" ? wire.simpleReply(1n) : client.chunk(1n, 4096n, wire.DONE, wire.NONE));
      expect(disk.calls).toEqual([]);
    });

    it("may reach the last byte", async () => {
      const client = await transmitting(recorder(4099, answers), { mode });
      client.request({ type: wire.READ, offset: 4098n, length: 1n });
      await client.expect(client.data(letters(Buffer.alloc(1), 4098n), 1n, 4098n));
    });

    it.each<[string, bigint, bigint]>([
      ["begins past the end", 4096n, 1n],
      ["ends past the end", 4000n, 97n],
      ["ends far past the end", 0n, 32n * 1024n * 1024n],
      ["begins at 2^63-1", 2n ** 63n - 1n, 1n],
      ["begins at 2^63", 2n ** 63n, 1n],
      ["would end at 2^64", 2n ** 64n - 512n, 512n],
      ["would wrap around 2^64 to the start", 2n ** 64n - 1n, 4097n],
      ["begins past the end and is about no bytes", 4097n, 0n],
    ])("fails with EINVAL when it %s, the disk is not asked and the session goes on", async (_what, offset, length) => {
      const disk = recorder(4096, answers);
      const client = await transmitting(disk, { mode });
      client.request({ type: wire.READ, cookie: 5n, offset, length });
      const text = `cannot read: ${length} bytes at ${offset} are not on the disk (4096 bytes)`;
      await client.expect(client.failed(EINVAL, text, 5n, offset));
      expect(disk.calls).toEqual([]);
      client.request({ type: wire.READ, length: 1n });
      await client.expect(client.data(letters(Buffer.alloc(1), 0n)));
    });

    it("is served up to the server's limit and refused above it", async () => {
      const client = await transmitting(recorder(MiB, answers), { mode }, { limits: { read: 65_536 } });
      client.request({ type: wire.READ, length: 65_536n });
      await client.expect(client.data(letters(Buffer.alloc(65_536), 0n)));
      client.request({ type: wire.READ, cookie: 2n, length: 65_537n });
      await client.expect(client.failed(EINVAL, "a read of 65537 bytes: at most 65536 are served", 2n));
    });
  });

  it("fails with the disk's error, its text and where it happened", async () => {
    const disk = recorder(65_536, "at once", {
      read() {
        throw new DiskError("EIO", "sector 17 is worn out", { offset: 8704n });
      },
    });
    const client = await transmitting(disk, { mode });
    client.request({ type: wire.READ, offset: 8192n, length: 4096n });
    await client.expect(client.failed(EIO, "sector 17 is worn out", 1n, 8192n, 8704n));
  });

  it("does not tell where an error happened that was somewhere else", async () => {
    const disk = recorder(65_536, "later", {
      read: () => Promise.reject(new DiskError("EIO", "the backing disk is full of dust", { offset: 12_288n })),
    });
    const client = await transmitting(disk, { mode });
    client.request({ type: wire.READ, offset: 8192n, length: 4096n });
    await client.expect(client.failed(EIO, "the backing disk is full of dust", 1n, 8192n));
  });

  it("fails without the text of an error that is not meant for the client", async () => {
    const disk = recorder(65_536, "later", { read: () => Promise.reject(new Error("connect ECONNREFUSED 10.1.2.3:9000")) });
    const client = await transmitting(disk, { mode });
    client.request({ type: wire.READ, length: 4096n });
    await client.expect(client.failed(EIO, "input/output error"));
  });

  describe("over a socket", () => {
    const open = async (views: NonNullable<Connection["views"]>, size = 100 * KiB): Promise<RawClient> => {
      const client = await dialled(await serving(recorder(size, "at once", { views }), { listen: true }));
      await client.negotiate({ mode });
      return client;
    };

    it("sends as it is what a disk lends in pieces", async () => {
      const bytes = noise(100 * KiB);
      const client = await open((offset, length) => {
        const all = bytes.subarray(Number(offset), Number(offset) + length);
        return [all.subarray(0, 5000), all.subarray(5000, 5001), all.subarray(5001)];
      });
      client.request({ type: wire.READ, offset: 1n, length: 65_000n });
      await client.expect(client.data(bytes.subarray(1, 65_001), 1n, 1n));
    });

    it.each<[string, unknown]>([
      ["too little", [new Uint8Array(64_999)]],
      ["too much", [new Uint8Array(65_000), new Uint8Array(1)]],
      ["nothing", []],
      ["what are no bytes", ["x".repeat(65_000)]],
    ])("fails rather than sending a reply of the wrong length when a disk lends %s", async (_what, views) => {
      const client = await open(() => views as Uint8Array[]);
      client.request({ type: wire.READ, length: 65_000n });
      await client.expect(client.failed(EIO, "the disk lent other bytes than it was asked for"));
      client.request({ type: wire.READ, length: 1n });
      await client.expect(client.data(letters(Buffer.alloc(1), 0n)));
    });
  });

  it("over a stream in memory lends nothing, whose reader might hold on to the disk's own bytes", async () => {
    const bytes = noise(100 * KiB);
    const views: NonNullable<Connection["views"]> = () => {
      throw new Error("not to be asked");
    };
    const client = await transmitting(ram(bytes, { views, extents: undefined as never }), { mode });
    client.request({ type: wire.READ, length: 65_000n });
    await client.expect(client.data(bytes.subarray(0, 65_000)));
  });
});

describe.each(["structured", "extended"] as const)("a sparse read with %s replies", (mode) => {
  const SIZE = 256 * KiB;
  /** Data at 8 KiB to 12 KiB and at 128 KiB to 200 KiB. */
  const content = holey(SIZE, [
    [8 * KiB, 4 * KiB],
    [128 * KiB, 72 * KiB],
  ]);

  /** A chunk of data, or of a hole. */
  const data = (client: RawClient, request: bigint, from: number, to: number, flags = wire.MORE): Buffer =>
    client.chunk(1n, request, flags, wire.DATA, wire.dataPayload(BigInt(from), content.subarray(from, to)));
  const hole = (client: RawClient, request: bigint, from: number, to: number, flags = wire.MORE): Buffer =>
    client.chunk(1n, request, flags, wire.HOLE, wire.holePayload(BigInt(from), to - from));

  const later = (more: Partial<Connection> = {}): Plugin =>
    ram(content, {
      read: async (target, offset) => void target.set(content.subarray(Number(offset), Number(offset) + target.length)),
      ...more,
    });

  describe.each<[string, () => Plugin]>([
    ["at once", () => ram(content)],
    ["later", () => later()],
  ])("of a disk that answers %s", (_answers, disk) => {
    it("sends a chunk for each part: data with its bytes, holes without", async () => {
      const client = await transmitting(disk(), { mode });
      client.request({ type: wire.READ, length: BigInt(SIZE) });
      await client.expect(
        hole(client, 0n, 0, 8 * KiB),
        data(client, 0n, 8 * KiB, 12 * KiB),
        hole(client, 0n, 12 * KiB, 128 * KiB),
        data(client, 0n, 128 * KiB, 200 * KiB),
        hole(client, 0n, 200 * KiB, SIZE, wire.DONE),
      );
    });

    it("cuts its chunks at its own ends, which need not be those of pages", async () => {
      const client = await transmitting(disk(), { mode });
      client.request({ type: wire.READ, offset: 10_001n, length: 130_000n });
      await client.expect(
        data(client, 10_001n, 10_001, 12 * KiB),
        hole(client, 10_001n, 12 * KiB, 128 * KiB),
        data(client, 10_001n, 128 * KiB, 140_001, wire.DONE),
      );
    });

    it("is one chunk where all is a hole", async () => {
      const client = await transmitting(disk(), { mode });
      client.request({ type: wire.READ, offset: 16n * 1024n, length: 65_536n });
      await client.expect(hole(client, 16n * 1024n, 16 * KiB, 80 * KiB, wire.DONE));
    });

    it("is one chunk of data, zeroes and all, when the client does not want it fragmented", async () => {
      const client = await transmitting(disk(), { mode });
      client.request({ type: wire.READ, flags: DF, length: BigInt(SIZE) });
      await client.expect(client.data(content));
    });

    it("is one chunk of data when it is short", async () => {
      const client = await transmitting(disk(), { mode });
      client.request({ type: wire.READ, length: 65_535n });
      await client.expect(client.data(content.subarray(0, 65_535)));
    });
  });

  it("sends zeroes as data where a chunk of their own would not pay", async () => {
    const bytes = noise(SIZE);
    const extents: Connection["extents"] = () => [
      { offset: 1000n, length: 4095n, zero: true },
      { offset: 10_000n, length: 4096n, zero: true },
      { offset: 20_000n, length: 50_000n, hole: true },
    ];
    const client = await transmitting(ram(bytes, { extents }), { mode });
    client.request({ type: wire.READ, length: 100_000n });
    const part = (from: number, to: number, flags: number): Buffer =>
      client.chunk(1n, 0n, flags, wire.DATA, wire.dataPayload(BigInt(from), bytes.subarray(from, to)));
    // A hole that is not said to read as zeroes is read.
    await client.expect(part(0, 10_000, wire.MORE), hole(client, 0n, 10_000, 14_096), part(14_096, 100_000, wire.DONE));
  });

  it("reads what a disk says nothing of", async () => {
    const extents: Connection["extents"] = (offset) => [{ offset, length: 8192n, zero: true }];
    const client = await transmitting(ram(content, { extents }), { mode });
    client.request({ type: wire.READ, length: 100_000n });
    await client.expect(hole(client, 0n, 0, 8 * KiB), data(client, 0n, 8 * KiB, 100_000, wire.DONE));
  });

  it.each<[string, NonNullable<Connection["extents"]>]>([
    ["later", async () => []],
    [
      "with an error",
      () => {
        throw new DiskError("EIO", "the map is torn");
      },
    ],
    ["with an error later", () => Promise.reject(new DiskError("EIO", "the map is torn"))],
  ])("is a plain read when the disk lists its extents %s", async (_what, extents) => {
    const client = await transmitting(ram(content, { extents }), { mode });
    for (let i = 0; i < 2; i += 1) {
      client.request({ type: wire.READ, length: 100_000n });
      await client.expect(client.data(content.subarray(0, 100_000)));
    }
  });

  it("fails as a whole when one of its parts does, once none of them is under way", async () => {
    const read = async (target: Uint8Array, offset: bigint): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      if (offset > 100_000n) throw new DiskError("EIO", "the second half is missing", { offset });
      target.fill(1);
    };
    const client = await transmitting(ram(content, { read }), { mode });
    client.request({ type: wire.READ, length: BigInt(SIZE) });
    await client.expect(client.failed(EIO, "the second half is missing", 1n, 0n, 131_072n));
  });

  it("fails as a whole when a part fails at once while another is under way", async () => {
    const read = (target: Uint8Array, offset: bigint): Promise<void> | undefined => {
      if (offset > 100_000n) throw new DiskError("EIO", "the second half is missing");
      return new Promise((resolve) => setImmediate(() => resolve(void target.fill(1))));
    };
    const client = await transmitting(ram(content, { read }), { mode });
    client.request({ type: wire.READ, length: BigInt(SIZE) });
    await client.expect(client.failed(EIO, "the second half is missing"));
  });
});

describe("a read that must not be fragmented", () => {
  it("is refused with EOVERFLOW when it is too long, as the document has it", async () => {
    const client = await transmitting(recorder(MiB), { mode: "structured" }, { limits: { read: 65_536 } });
    client.request({ type: wire.READ, flags: DF, length: 65_537n });
    await client.expect(client.failed(EOVERFLOW, "a read of 65537 bytes: at most 65536 are served"));
  });

  it("is refused with simple replies, which never are", async () => {
    const client = await transmitting(recorder(MiB));
    client.request({ type: wire.READ, flags: DF, length: 1n });
    await client.expect(wire.simpleReply(1n, EINVAL));
  });
});

it("a disk of no bytes has nothing to read", async () => {
  const client = await transmitting(recorder(0));
  client.request({ type: wire.READ, length: 0n }, { type: wire.READ, cookie: 2n, length: 1n });
  await client.expect(wire.simpleReply(1n), wire.simpleReply(2n, EINVAL));
});

it("the last byte of the largest disk can be read", async () => {
  const client = await transmitting(recorder(2n ** 63n - 1n));
  const offset = 2n ** 63n - 2n;
  client.request({ type: wire.READ, offset, length: 1n }, { type: wire.READ, cookie: 2n, offset, length: 2n });
  await client.expect(wire.simpleReply(1n, 0, letters(Buffer.alloc(1), offset)), wire.simpleReply(2n, EINVAL));
});
