// BLOCK_STATUS: a chunk for each context that was set, with the lengths and the status of the parts of the range.

import { describe, expect, it } from "vitest";
import { type Connection, type Context, DiskError } from "../../src/contract/index.ts";
import * as wire from "../client/wire.ts";
import { holey } from "../fixtures/bytes.ts";
import { ram } from "../fixtures/ram.ts";
import { type RawClient, transmitting } from "../fixtures/raw-client.ts";
import { recorder } from "../fixtures/recorder.ts";

const EIO = 5;
const EINVAL = 22;
const KiB = 1024;
const SIZE = 256 * KiB;
const { BLOCK_STATUS: STATUS, REQ_ONE, PAYLOAD_LEN } = wire;

/** Data at 64 KiB to 96 KiB, holes around it. */
const content = holey(SIZE, [[64 * KiB, 32 * KiB]]);
const HOLE = 3;
const DATA = 0;

/** 7 in the last half of the disk, 0 before. */
const half = (answer: (list: ReturnType<Context["extents"]>) => ReturnType<Context["extents"]> = (list) => list): Context => ({
  name: "x-test:half",
  extents: () => answer([{ offset: BigInt(SIZE / 2), length: BigInt(SIZE / 2), status: 7n }]),
});
const wide: Context = { name: "x-test:wide", extents: (offset, length) => [{ offset, length, status: 2n ** 40n + 1n }] };

/** The chunk of a context in the negotiated form. */
function status(client: RawClient, id: number, flags: number, offset: bigint, ...extents: [length: number, status: number][]): Buffer {
  return client.mode === "extended"
    ? client.chunk(
        1n,
        offset,
        flags,
        wire.STATUS_EXT,
        wire.extendedStatusPayload(
          id,
          extents.map(([length, value]) => [BigInt(length), BigInt(value)]),
        ),
      )
    : client.chunk(1n, offset, flags, wire.STATUS, wire.statusPayload(id, extents));
}

describe.each(["structured", "extended"] as const)("block status with %s replies", (mode) => {
  const open = (more: Partial<Connection> = {}, contexts = ["base:allocation"]) => transmitting(ram(content, more), { mode, contexts });

  it("tells where the holes are", async () => {
    const client = await open();
    client.request({ type: STATUS, length: BigInt(SIZE) });
    await client.expect(status(client, 0, wire.DONE, 0n, [64 * KiB, HOLE], [32 * KiB, DATA], [160 * KiB, HOLE]));
  });

  it("begins and ends where it was asked to", async () => {
    const client = await open();
    client.request({ type: STATUS, offset: 10_001n, length: 60_000n });
    await client.expect(status(client, 0, wire.DONE, 10_001n, [65_536 - 10_001, HOLE], [70_001 - 65_536, DATA]));
  });

  it("tells of the first extent alone when it is asked for one", async () => {
    const client = await open();
    client.request(
      { type: STATUS, flags: REQ_ONE, offset: 64n * 1024n, length: 4096n },
      { type: STATUS, flags: REQ_ONE, length: BigInt(SIZE) },
    );
    await client.expect(status(client, 0, wire.DONE, 64n * 1024n, [4096, DATA]), status(client, 0, wire.DONE, 0n, [64 * KiB, HOLE]));
  });

  it("is all data on a disk that does not know its holes", async () => {
    const client = await open({ extents: undefined as never });
    client.request({ type: STATUS, length: BigInt(SIZE) });
    await client.expect(status(client, 0, wire.DONE, 0n, [SIZE, DATA]));
  });

  it("tells holes from zeroes", async () => {
    const extents: NonNullable<Connection["extents"]> = () => [
      { offset: 0n, length: 512n, hole: true },
      { offset: 512n, length: 512n, zero: true },
      { offset: 1024n, length: 512n, hole: true, zero: true },
    ];
    const client = await open({ extents });
    client.request({ type: STATUS, length: 2048n });
    await client.expect(status(client, 0, wire.DONE, 0n, [512, 1], [512, 2], [512, 3]));
  });

  it("has a chunk for each context that was set, in the order of their ids", async () => {
    const client = await open({ contexts: [half()] }, ["x-test:half", "base:allocation"]);
    client.request({ type: STATUS, length: BigInt(SIZE) });
    await client.expect(
      status(client, 0, wire.MORE, 0n, [64 * KiB, HOLE], [32 * KiB, DATA], [160 * KiB, HOLE]),
      status(client, 1, wire.DONE, 0n, [SIZE / 2, 0], [SIZE / 2, 7]),
    );
  });

  it("leaves out a context that was not set", async () => {
    const client = await open({ contexts: [half()] }, ["x-test:half"]);
    client.request({ type: STATUS, offset: BigInt(SIZE / 2 - 1), length: 2n });
    await client.expect(status(client, 0, wire.DONE, BigInt(SIZE / 2 - 1), [1, 0], [1, 7]));
  });

  it("waits for a disk that answers later", async () => {
    const extents: NonNullable<Connection["extents"]> = async () => [{ offset: 0n, length: 4096n, hole: true }];
    const client = await open({ extents, contexts: [half(async (list) => list)] }, ["x-test:half", "base:allocation"]);
    client.request({ type: STATUS, length: BigInt(SIZE) });
    await client.expect(status(client, 0, wire.MORE, 0n, [4096, 1]), status(client, 1, wire.DONE, 0n, [SIZE / 2, 0], [SIZE / 2, 7]));
  });

  it("takes extents that come bit by bit", async () => {
    async function* extents() {
      yield { offset: 0n, length: 512n, hole: true };
      yield { offset: 1024n, length: 512n, zero: true };
    }
    const client = await open({ extents });
    client.request({ type: STATUS, length: 1536n });
    await client.expect(status(client, 0, wire.DONE, 0n, [512, 1], [512, 0], [512, 2]));
  });

  it("succeeds without content when it is about no bytes", async () => {
    const client = await open();
    client.request({ type: STATUS, offset: BigInt(SIZE), length: 0n });
    await client.expect(client.chunk(1n, BigInt(SIZE), wire.DONE, wire.NONE));
  });

  it.each<[string, bigint, bigint]>([
    ["begins past the end", BigInt(SIZE), 1n],
    ["ends past the end", 0n, BigInt(SIZE) + 1n],
    ["begins at 2^64-1", 2n ** 64n - 1n, 1n],
    ["begins past the end and is about no bytes", BigInt(SIZE) + 1n, 0n],
  ])("fails with EINVAL when it %s, and the session goes on", async (_what, offset, length) => {
    const client = await open();
    client.request({ type: STATUS, offset, length });
    await client.expect(
      client.failed(EINVAL, `cannot list extents: ${length} bytes at ${offset} are not on the disk (${SIZE} bytes)`, 1n, offset),
    );
    client.request({ type: STATUS, flags: REQ_ONE, length: 1n });
    await client.expect(status(client, 0, wire.DONE, 0n, [1, HOLE]));
  });

  it("fails when no context was set", async () => {
    const client = await open({}, []);
    client.request({ type: STATUS, length: 4096n });
    await client.expect(client.failed(EINVAL, "no metadata context was negotiated"));
  });

  it.each<[string, Partial<Connection>]>([
    ["at once", { extents: () => fail() }],
    ["later", { extents: async () => fail() }],
  ])("fails as a whole when one of its contexts does %s", async (_what, more) => {
    const client = await open({ ...more, contexts: [half(async (list) => list)] }, ["x-test:half", "base:allocation"]);
    client.request({ type: STATUS, length: BigInt(SIZE) });
    await client.expect(client.failed(EIO, "the map is torn", 1n, 0n, 4096n));
    client.request({ type: STATUS, length: BigInt(SIZE) });
    await client.expect(client.failed(EIO, "the map is torn", 1n, 0n, 4096n));
  });

  it("fails when a disk lists the impossible", async () => {
    const extents: NonNullable<Connection["extents"]> = () => [
      { offset: 8192n, length: 512n },
      { offset: 0n, length: 512n },
    ];
    const client = await open({ extents });
    client.request({ type: STATUS, length: BigInt(SIZE) });
    await client.expect(client.failed(EIO, "the disk listed its extents out of order: 0 comes after 8704", 1n, 0n, 0n));
  });

  it("has 2^20 extents at most", async () => {
    function* extents(offset: bigint) {
      for (let at = offset; ; at += 2n) yield { offset: at, length: 1n, hole: true };
    }
    const size = 2n ** 22n;
    const client = await transmitting(recorder(size, "at once", { extents }), { mode, contexts: ["base:allocation"] });
    client.request({ type: STATUS, length: size });
    const header = await client.read(mode === "extended" ? 32 : 20);
    const payload = await client.read(header.readUInt32BE(header.length - 4));
    expect(payload.length).toBe(mode === "extended" ? 8 + 16 * 2 ** 20 : 4 + 8 * 2 ** 20);
  });
});

function fail(): never {
  throw new DiskError("EIO", "the map is torn", { offset: 4096n });
}

it("with simple replies is refused: there is no form for its answer", async () => {
  const client = await transmitting(ram(content));
  client.request({ type: STATUS, length: 4096n });
  await client.expect(wire.simpleReply(1n, EINVAL));
});

it("with 32 bits tells of ranges up to 2^32-1 bytes", async () => {
  const client = await transmitting(recorder(2n ** 40n), { mode: "structured", contexts: ["base:allocation"] });
  client.request({ type: STATUS, offset: 2n ** 33n, length: 2n ** 32n - 1n });
  await client.expect(wire.chunk(1n, wire.DONE, wire.STATUS, wire.statusPayload(0, [[2 ** 32 - 1, 0]])));
});

it("with 32 bits cannot tell a status that has more", async () => {
  const contexts = ["base:allocation", "x-test:wide"];
  const client = await transmitting(ram(content, { contexts: [wide] }), { mode: "structured", contexts });
  client.request({ type: STATUS, length: 4096n });
  await client.expect(client.failed(EINVAL, "the status has 64 bits: it takes a client with extended headers"));
});

describe("with 64 bits", () => {
  const open = (size: bigint, more: Partial<Connection> = {}, contexts = ["base:allocation"]) =>
    transmitting(recorder(size, "at once", more), { mode: "extended", contexts });

  it("tells of any range", async () => {
    const size = 2n ** 63n - 1n;
    const extents: NonNullable<Connection["extents"]> = () => [{ offset: 2n ** 60n, length: 2n ** 62n, hole: true, zero: true }];
    const client = await open(size, { extents });
    client.request({ type: STATUS, offset: 1n, length: size - 1n });
    const list: [bigint, bigint][] = [
      [2n ** 60n - 1n, 0n],
      [2n ** 62n, 3n],
    ];
    await client.expect(client.chunk(1n, 1n, wire.DONE, wire.STATUS_EXT, wire.extendedStatusPayload(0, list)));
  });

  it("tells any status", async () => {
    const client = await open(65_536n, { contexts: [wide] }, ["x-test:wide"]);
    client.request({ type: STATUS, length: 4096n });
    const payload = wire.extendedStatusPayload(0, [[4096n, 2n ** 40n + 1n]]);
    await client.expect(client.chunk(1n, 0n, wire.DONE, wire.STATUS_EXT, payload));
  });

  describe("and a payload that says which contexts are meant", () => {
    const contexts = ["base:allocation", "x-test:half", "x-test:wide"];
    const negotiated = () => transmitting(ram(content, { contexts: [half(), wide] }), { mode: "extended", contexts });
    const ask = (client: RawClient, payload: Buffer, offset = 0n, cookie = 1n): void =>
      client.request({ type: STATUS, flags: PAYLOAD_LEN, cookie, offset, payload });
    const ids = (length: bigint, ...list: number[]): Buffer => wire.join(wire.u64(length), ...list.map(wire.u32));

    it("tells of those alone, in the order that they are asked for", async () => {
      const client = await negotiated();
      ask(client, ids(8192n, 2, 0), 128n * 1024n);
      const offset = 128n * 1024n;
      await client.expect(
        client.chunk(1n, offset, wire.MORE, wire.STATUS_EXT, wire.extendedStatusPayload(2, [[8192n, 2n ** 40n + 1n]])),
        client.chunk(1n, offset, wire.DONE, wire.STATUS_EXT, wire.extendedStatusPayload(0, [[8192n, 3n]])),
      );
    });

    it.each<[string, Buffer, string]>([
      ["an id that was not negotiated", ids(4096n, 0, 3), "context 3 was not negotiated or is asked for twice"],
      ["an id twice", ids(4096n, 1, 0, 1), "context 1 was not negotiated or is asked for twice"],
      ["no id", ids(4096n), "no context is asked for"],
      ["half an id", wire.join(ids(4096n, 0), "xx"), "a block-status payload of 14 bytes: expected a length of 8 bytes and ids of 4 each"],
      ["no length", Buffer.alloc(4), "a block-status payload of 4 bytes: expected a length of 8 bytes and ids of 4 each"],
      ["nothing", Buffer.alloc(0), "a block-status payload of 0 bytes: expected a length of 8 bytes and ids of 4 each"],
      [
        "more ids than there can be",
        Buffer.alloc(8 + 4 * 1025),
        "a block-status payload of 4108 bytes: expected a length of 8 bytes and ids of 4 each",
      ],
      [
        "a range past the end",
        ids(BigInt(SIZE) + 1n, 0),
        `cannot list extents: ${SIZE + 1} bytes at 0 are not on the disk (${SIZE} bytes)`,
      ],
      [
        "a range of 2^64-1 bytes",
        ids(2n ** 64n - 1n, 0),
        `cannot list extents: ${2n ** 64n - 1n} bytes at 0 are not on the disk (${SIZE} bytes)`,
      ],
    ])("is refused with %s, and the session goes on", async (_what, payload, text) => {
      const client = await negotiated();
      ask(client, payload);
      await client.expect(client.failed(EINVAL, text));
      ask(client, ids(512n, 1));
      await client.expect(client.chunk(1n, 0n, wire.DONE, wire.STATUS_EXT, wire.extendedStatusPayload(1, [[512n, 0n]])));
    });

    it("is refused when no context was set, and its payload is read", async () => {
      const client = await transmitting(ram(content), { mode: "extended" });
      ask(client, ids(4096n, 0));
      await client.expect(client.failed(EINVAL, "no metadata context was negotiated"));
      await client.disconnect();
    });
  });
});
