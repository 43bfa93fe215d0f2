// INFO asks what an export is, GO chooses one and enters the transmission phase. Their questions and answers have the same form.

import { describe, expect, it } from "vitest";
import { type Connection, DiskError, type Plugin } from "../../src/contract/index.ts";
import * as wire from "../client/wire.ts";
import { infoQuery, metaQuery, option, request } from "../fixtures/client-bytes.ts";
import { ram } from "../fixtures/ram.ts";
import { connected, type RawClient, serving } from "../fixtures/raw-client.ts";
import { strict } from "../fixtures/strict.ts";
import { warning } from "../fixtures/warning.ts";

const INFO = 6;
const { GO } = wire;
const INFO_EXPORT = 0;
const INFO_NAME = 1;
const INFO_DESCRIPTION = 2;
const INFO_BLOCK_SIZE = 3;
const INVALID = wire.ERR(3);
const MiB = 1024 * 1024;

/** A disk that can be read and nothing else. */
const plain = (more: Partial<Connection> = {}): Plugin => ({
  name: "plain",
  open: () => ({ size: 4096n, traits: { cache: "none" }, read: (target) => void target.fill(0x41), ...more }),
});

const PLAIN = wire.HAS_FLAGS | wire.READ_ONLY;

async function greeted(source: Parameters<typeof serving>[0]): Promise<RawClient> {
  const client = connected(await serving(source));
  await client.greet();
  return client;
}

/** One information of a reply. */
const info = (option: number, number: number, ...data: (Uint8Array | string)[]): Buffer =>
  wire.optionReply(option, wire.INFO, wire.join(wire.u16(number), ...data));

const exportInfo = (option: number, size: bigint, flags: number): Buffer => info(option, INFO_EXPORT, wire.u64(size), wire.u16(flags));

describe.each([
  ["INFO", INFO],
  ["GO", GO],
])("%s", (_name, number) => {
  it("is answered with size and transmission flags, and an ACK", async () => {
    const client = await greeted(plain());
    client.send(option(number, infoQuery("any")));
    await client.expect(exportInfo(number, 4096n, PLAIN), wire.optionReply(number, wire.ACK));
  });

  it("has no padding after it, even for a client that did not ask to be spared the zeroes", async () => {
    const client = connected(await serving(plain()));
    await client.greet(wire.FIXED_NEWSTYLE);
    client.send(option(number, infoQuery("")));
    await client.expect(exportInfo(number, 4096n, PLAIN), wire.optionReply(number, wire.ACK));
    client.send(number === GO ? request({ type: wire.DISC }) : option(wire.ABORT));
    expect(await client.rest()).toEqual(number === GO ? Buffer.alloc(0) : wire.optionReply(wire.ABORT, wire.ACK));
  });

  it("tells the name, the description and the block sizes when asked to", async () => {
    const disk = plain({ description: "the letter A", blockSize: { minimum: 512, preferred: 8192, maximum: MiB } });
    const client = await greeted({ letters: disk });
    client.send(option(number, infoQuery("", [INFO_NAME, INFO_DESCRIPTION, INFO_BLOCK_SIZE])));
    await client.expect(
      exportInfo(number, 4096n, PLAIN),
      info(number, INFO_NAME, "letters"),
      info(number, INFO_DESCRIPTION, "the letter A"),
      info(number, INFO_BLOCK_SIZE, wire.u32(512), wire.u32(8192), wire.u32(MiB)),
      wire.optionReply(number, wire.ACK),
    );
  });

  it("tells the block sizes that every server has when the disk says nothing of them: 1, 4096 and 32 MiB", async () => {
    const client = await greeted(plain());
    client.send(option(number, infoQuery("", [INFO_BLOCK_SIZE])));
    await client.expect(exportInfo(number, 4096n, PLAIN));
    await client.expect(info(number, INFO_BLOCK_SIZE, wire.u32(1), wire.u32(4096), wire.u32(32 * MiB)), wire.optionReply(number, wire.ACK));
  });

  it.each([
    ["a disk that takes more", { minimum: 1, preferred: 4096, maximum: 0xffffffff }, [1, 4096, 32 * MiB]],
    ["a disk that prefers more", { minimum: 4096, preferred: 64 * MiB, maximum: 128 * MiB }, [4096, 32 * MiB, 32 * MiB]],
    ["a disk that takes less", { minimum: 512, preferred: 512, maximum: 65_536 }, [512, 512, 65_536]],
  ])("never tells a larger maximum than the server takes: %s", async (_what, blockSize, told) => {
    const client = await greeted(plain({ blockSize }));
    client.send(option(number, infoQuery("", [INFO_BLOCK_SIZE])));
    await client.expect(exportInfo(number, 4096n, PLAIN));
    await client.expect(info(number, INFO_BLOCK_SIZE, ...told.map(wire.u32)), wire.optionReply(number, wire.ACK));
  });

  it("leaves out what it does not know: a description that there is not, information without a meaning", async () => {
    const client = await greeted(plain());
    client.send(option(number, infoQuery("", [INFO_DESCRIPTION, 4, 0xffff, INFO_EXPORT])));
    await client.expect(exportInfo(number, 4096n, PLAIN), wire.optionReply(number, wire.ACK));
  });

  it("cuts a text that is longer than a string may be, between two characters", async () => {
    const client = await greeted({ a: { plugin: plain(), description: `${"x".repeat(4095)}é` } });
    client.send(option(number, infoQuery("a", [INFO_DESCRIPTION])));
    await client.expect(exportInfo(number, 4096n, PLAIN), info(number, INFO_DESCRIPTION, "x".repeat(4095)));
  });

  it("is refused for an export that there is not, and the session goes on", async () => {
    const client = await greeted({ one: plain(), two: plain() });
    expect(await client.refused(number, infoQuery("three"))).toEqual([wire.UNKNOWN, 'there is no export "three"']);
    expect(await client.refused(number, infoQuery(""))).toEqual([wire.UNKNOWN, "there is no default export: ask for one by its name"]);
    expect((await client.ask(number, infoQuery("two"))).at(-1)?.type).toBe(wire.ACK);
  });

  it("is refused with the text of the plugin's DiskError", async () => {
    const client = await greeted({
      name: "moody",
      open: () => {
        throw new DiskError("EIO", "the tape is not in the drive");
      },
    });
    expect(await client.refused(number, infoQuery(""))).toEqual([wire.UNKNOWN, "the tape is not in the drive"]);
  });

  it("is refused without the text of any other error, which may tell of paths and hosts", async () => {
    const client = await greeted({ name: "moody", open: () => Promise.reject(new Error("ENOENT: /srv/secret.img")) });
    const { answer, warned } = await warning(async () => ({ answer: await client.refused(number, infoQuery("x")) }));
    expect(answer).toEqual([wire.UNKNOWN, 'opening export "x" failed']);
    expect(warned).toEqual(['diskwright: opening export "x" failed: ENOENT: /srv/secret.img']);
  });

  it.each([
    ["is empty", Buffer.alloc(0), "the option is too short"],
    ["is shorter than its fixed fields", Buffer.alloc(5), "the option is too short"],
    ["has a name that is longer than itself", wire.join(wire.u32(1), wire.u16(0)), "the export name is longer than the option"],
    ["has a name of 2^32-1 bytes", wire.join(wire.u32(0xffffffff), "x", wire.u16(0)), "the export name is longer than the option"],
    ["has a name with a NUL", infoQuery("a\0"), "the export name contains a NUL"],
    ["has a name that is no UTF-8", wire.join(wire.u32(1), Buffer.from([0xff]), wire.u16(0)), "the export name is not UTF-8"],
    ["has a name of 4097 bytes", infoQuery("x".repeat(4097)), "the export name has 4097 bytes: at most 4096 are allowed"],
    [
      "promises more requests than there are",
      wire.join(wire.u32(0), wire.u16(2), wire.u16(3)),
      "the option has not the length of 2 information requests",
    ],
    [
      "has more requests than it promises",
      wire.join(wire.u32(0), wire.u16(0), wire.u16(3)),
      "the option has not the length of 0 information requests",
    ],
    [
      "ends in the middle of a request",
      wire.join(wire.u32(0), wire.u16(1), "x"),
      "the option has not the length of 1 information requests",
    ],
  ])("is refused when it %s, and the session goes on", async (_what, data, text) => {
    const client = await greeted(plain());
    expect(await client.refused(number, data)).toEqual([INVALID, text]);
    expect((await client.ask(number, infoQuery(""))).at(-1)?.type).toBe(wire.ACK);
  });

  it("takes a name of 4096 bytes", async () => {
    const client = await greeted(plain());
    expect((await client.ask(number, infoQuery("x".repeat(4096)))).at(-1)?.type).toBe(wire.ACK);
  });
});

describe("the transmission flags", () => {
  const flagsOf = async (plugin: Plugin, ...before: [number, Buffer?][]): Promise<number> => {
    const client = await greeted(plugin);
    for (const [number, data] of before) expect((await client.ask(number, data)).at(-1)?.type).toBe(wire.ACK);
    const [reply] = await client.ask(INFO, infoQuery(""));
    return reply?.payload.readUInt16BE(10) ?? 0;
  };
  const write = { write() {} };
  const WRITABLE = wire.HAS_FLAGS | wire.SEND_WRITE_ZEROES | wire.SEND_FAST_ZERO;

  it.each<[string, Partial<Connection>, number]>([
    ["can be read", {}, PLAIN],
    // Zeroing is writing there, and a fast zero always fails at once: that is an answer too.
    ["can be written", write, WRITABLE],
    ["can be flushed", { ...write, flush() {} }, WRITABLE | wire.SEND_FLUSH | wire.SEND_FUA],
    ["can be flushed and not written", { flush() {} }, PLAIN | wire.SEND_FLUSH],
    ["knows FUA", { ...write, traits: { fua: "native", cache: "none" } }, WRITABLE | wire.SEND_FUA],
    ["can be trimmed", { ...write, trim() {} }, WRITABLE | wire.SEND_TRIM],
    ["zeroes, but no faster than it writes", { ...write, zero() {} }, WRITABLE & ~wire.SEND_FAST_ZERO],
    ["zeroes fast", { ...write, zero() {}, traits: { fastZero: true, cache: "none" } }, WRITABLE],
    ["spins", { traits: { rotational: true, cache: "none" } }, PLAIN | wire.ROTATIONAL],
    ["shows its clients each other's writes", { traits: { multiConn: true, cache: "none" } }, PLAIN | wire.CAN_MULTI_CONN],
    ["can be cached", { traits: {}, cache() {} }, PLAIN | wire.SEND_CACHE],
    ["is cached by reading", { traits: {} }, PLAIN | wire.SEND_CACHE],
  ])("of a disk that %s", async (_what, more, flags) => {
    expect(await flagsOf(plain(more))).toBe(flags);
  });

  it("say with structured replies that a read can be asked for in one piece", async () => {
    expect(await flagsOf(plain(), [wire.STRUCTURED_REPLY])).toBe(PLAIN | wire.SEND_DF);
  });

  it("say with extended headers and a context that block status can be asked for some contexts alone", async () => {
    expect(await flagsOf(plain(), [wire.EXTENDED_HEADERS])).toBe(PLAIN | wire.SEND_DF);
    const chosen: [number, Buffer] = [wire.SET_META_CONTEXT, metaQuery("", "base:allocation")];
    expect(await flagsOf(plain(), [wire.EXTENDED_HEADERS], chosen)).toBe(PLAIN | wire.SEND_DF | wire.BLOCK_STATUS_PAYLOAD);
    expect(await flagsOf(plain(), [wire.STRUCTURED_REPLY], chosen)).toBe(PLAIN | wire.SEND_DF);
  });
});

describe("INFO and then GO", () => {
  it("open the disk once", async () => {
    const disk = strict(ram(4096));
    const server = await serving(disk);
    const client = connected(server);
    await client.greet();
    await client.ask(INFO, infoQuery("a"));
    await client.ask(INFO, infoQuery("a"));
    await client.ask(GO, infoQuery("a"));
    await client.disconnect();
    await server.close();
    expect(disk.life).toEqual(["start", "open a", "close a", "close"]);
  });

  it("close it and open another when the client turns to another", async () => {
    const disk = strict(ram(4096));
    const server = await serving(disk);
    const client = connected(server);
    await client.greet();
    await client.ask(INFO, infoQuery("a"));
    await client.ask(INFO, infoQuery("b"));
    await client.ask(GO, infoQuery("a"));
    await client.disconnect();
    await server.close();
    expect(disk.life).toEqual(["start", "open a", "close a", "open b", "close b", "open a", "close a", "close"]);
  });

  it("close what was opened when the client leaves without GO", async () => {
    const disk = strict(ram(4096));
    const server = await serving(disk);
    const client = connected(server);
    await client.greet();
    await client.ask(INFO, infoQuery("a"));
    client.send(option(wire.ABORT));
    await client.rest();
    await server.close();
    expect(disk.life).toEqual(["start", "open a", "close a", "close"]);
  });

  it("have the same answer", async () => {
    const client = await greeted(plain({ description: "the letter A" }));
    const query = infoQuery("", [INFO_BLOCK_SIZE, INFO_NAME, INFO_DESCRIPTION]);
    const answers = async (number: number): Promise<unknown> =>
      (await client.ask(number, query)).map(({ type, payload }) => [type, payload]);
    expect(await answers(INFO)).toEqual(await answers(GO));
  });

  it("open nothing before they are asked", async () => {
    const disk = strict(ram(4096));
    const client = await greeted(disk);
    await client.ask(wire.LIST);
    await client.ask(wire.STRUCTURED_REPLY);
    expect(disk.life).toEqual(["start"]);
  });

  it("go on with the next disk when closing the last one fails, which is told to the app", async () => {
    const stubborn = plain({
      close() {
        throw new Error("it will not close");
      },
    });
    const client = await greeted({ stubborn, other: plain() });
    await client.ask(INFO, infoQuery("stubborn"));
    const { answer, warned } = await warning(async () => ({ answer: await client.ask(GO, infoQuery("other")) }));
    expect(answer.at(-1)?.type).toBe(wire.ACK);
    expect(warned).toEqual(["diskwright: closing a client's disk failed: it will not close"]);
  });
});

describe("the empty name", () => {
  const sized = (size: bigint): Plugin => plain({ size });
  const sizeOfDefault = async (...source: Parameters<typeof serving>): Promise<bigint | undefined> => {
    const client = connected(await serving(...source));
    await client.greet();
    const [reply] = await client.ask(INFO, infoQuery(""));
    return reply?.type === wire.INFO ? reply.payload.readBigUInt64BE(2) : undefined;
  };

  it("is the only export there is", async () => {
    expect(await sizeOfDefault({ only: sized(1n) })).toBe(1n);
  });

  it("is the export without a name", async () => {
    expect(await sizeOfDefault({ "": sized(1n), other: sized(2n) })).toBe(1n);
  });

  it("is what the server's options say, whatever else there is", async () => {
    expect(await sizeOfDefault({ "": sized(1n), other: sized(2n) }, { defaultExport: "other" })).toBe(2n);
  });

  it("is nothing where there are several", async () => {
    expect(await sizeOfDefault({ one: sized(1n), two: sized(2n) })).toBeUndefined();
  });

  it("is what the plugin says", async () => {
    const plugin: Plugin = {
      name: "two",
      defaultExport: () => "b",
      open: ({ exportName }) => ({ size: BigInt(exportName.length), read() {} }),
    };
    expect(await sizeOfDefault(plugin)).toBe(1n);
  });
});
