// LIST_META_CONTEXT and SET_META_CONTEXT: which maps of the disk there are, and which of them the client wishes to ask for.

import { describe, expect, it } from "vitest";
import { type Context, DiskError, type Plugin } from "../../src/contract/index.ts";
import * as wire from "../client/wire.ts";
import { infoQuery, metaQuery, option } from "../fixtures/client-bytes.ts";
import { ram } from "../fixtures/ram.ts";
import { connected, type RawClient, serving } from "../fixtures/raw-client.ts";

const { LIST_META_CONTEXT: LIST, SET_META_CONTEXT: SET } = wire;
const INVALID = wire.ERR(3);
const TOO_BIG = wire.ERR(9);

const context = (name: string, status = 1n): Context => ({ name, extents: (offset, length) => [{ offset, length, status }] });

/** A disk with two contexts of its own. */
const mapped = (): Plugin => ram(65_536, { contexts: [context("x-backup:changed"), context("x-backup:new"), context("x-sum:crc")] });

async function greeted(source: Parameters<typeof serving>[0] = mapped(), form: number = wire.STRUCTURED_REPLY): Promise<RawClient> {
  const client = connected(await serving(source));
  await client.greet();
  await client.ask(form);
  return client;
}

/** The contexts that were listed or set, with their ids. */
async function contexts(client: RawClient, number: number, ...query: Parameters<typeof metaQuery>): Promise<[number, string][]> {
  const replies = await client.ask(number, metaQuery(...query));
  expect(replies.at(-1)?.type).toBe(wire.ACK);
  return replies.slice(0, -1).map(({ type, payload }) => {
    expect(type).toBe(wire.META_CONTEXT);
    return [payload.readUInt32BE(0), payload.toString("utf8", 4)];
  });
}

describe("LIST_META_CONTEXT", () => {
  it("is answered with a reply for each context, whose id means nothing, and an ACK", async () => {
    const client = await greeted();
    client.send(option(LIST, metaQuery("", "base:allocation", "x-sum:crc")));
    await client.expect(
      wire.optionReply(LIST, wire.META_CONTEXT, wire.join(wire.u32(0), "base:allocation")),
      wire.optionReply(LIST, wire.META_CONTEXT, wire.join(wire.u32(0), "x-sum:crc")),
      wire.optionReply(LIST, wire.ACK),
    );
  });

  it.each<[string, string[], string[]]>([
    ["without a query shows all there are", [], ["base:allocation", "x-backup:changed", "x-backup:new", "x-sum:crc"]],
    ["with a namespace alone shows all of that namespace", ["x-backup:"], ["x-backup:changed", "x-backup:new"]],
    ["with base: shows base:allocation", ["base:"], ["base:allocation"]],
    ["shows what several queries find once", ["x-backup:new", "x-backup:", "x-backup:new"], ["x-backup:changed", "x-backup:new"]],
    ["ignores a namespace that is not known", ["qemu:dirty-bitmap:x", "x-sum:crc"], ["x-sum:crc"]],
    ["ignores a leaf that is not known", ["base:alloc", "x-backup:chan"], []],
    ["ignores a query without a colon", ["base", "x-backup", ""], []],
    ["ignores a query that is nothing but a colon", [":"], []],
    ["tells capitals from small letters", ["BASE:allocation"], []],
  ])("%s", async (_what, queries, found) => {
    const client = await greeted();
    expect((await contexts(client, LIST, "", ...queries)).map(([, name]) => name)).toEqual(found);
  });

  it("changes nothing that was set", async () => {
    const client = await greeted(undefined, wire.EXTENDED_HEADERS);
    await contexts(client, SET, "", "base:allocation");
    await contexts(client, LIST, "", "x-sum:crc");
    const [info] = await client.ask(wire.GO, infoQuery(""));
    expect((info?.payload.readUInt16BE(10) ?? 0) & wire.BLOCK_STATUS_PAYLOAD).not.toBe(0);
  });
});

describe("SET_META_CONTEXT", () => {
  it("is answered with a reply for each context, with the id that it has from now on, and an ACK", async () => {
    const client = await greeted();
    client.send(option(SET, metaQuery("", "x-sum:crc", "base:allocation")));
    await client.expect(
      wire.optionReply(SET, wire.META_CONTEXT, wire.join(wire.u32(0), "base:allocation")),
      wire.optionReply(SET, wire.META_CONTEXT, wire.join(wire.u32(1), "x-sum:crc")),
      wire.optionReply(SET, wire.ACK),
    );
  });

  it.each<[string, string[], string[]]>([
    ["without a query sets none", [], []],
    ["takes no wildcards", ["base:", "x-backup:"], []],
    ["sets a context once that is asked for twice", ["x-sum:crc", "x-sum:crc"], ["x-sum:crc"]],
    ["ignores what is not known", ["x-sum:md5", "qemu:allocation-depth", "base:allocation"], ["base:allocation"]],
    ["ignores a query without a colon", ["foobar"], []],
  ])("%s", async (_what, queries, found) => {
    const client = await greeted();
    expect((await contexts(client, SET, "", ...queries)).map(([, name]) => name)).toEqual(found);
  });

  it("with the same name as GO lets the client ask for block status", async () => {
    const client = await greeted();
    await contexts(client, SET, "disk", "base:allocation");
    await client.ask(wire.GO, infoQuery("disk"));
    client.mode = "structured";
    client.request({ type: wire.BLOCK_STATUS, length: 4096n });
    await client.expect(wire.chunk(1n, wire.DONE, wire.STATUS, wire.statusPayload(0, [[4096, 3]])));
  });

  /** Whether block status is answered after GO with this name. */
  async function isSet(client: RawClient, exportName: string): Promise<boolean> {
    await client.ask(wire.GO, infoQuery(exportName));
    client.mode = "structured";
    client.request({ type: wire.BLOCK_STATUS, length: 4096n });
    const header = await client.read(20);
    return header.readUInt16BE(6) === wire.STATUS;
  }

  it("with another name than GO sets none", async () => {
    const client = await greeted();
    await contexts(client, SET, "disk", "base:allocation");
    expect(await isSet(client, "other")).toBe(false);
  });

  it("is what counts the last time that it was sent", async () => {
    const client = await greeted();
    await contexts(client, SET, "disk", "base:allocation");
    await contexts(client, SET, "disk");
    expect(await isSet(client, "disk")).toBe(false);
  });

  it.each<[string, Buffer]>([
    ["malformed", metaQuery("disk", "base:allocation").subarray(0, -1)],
    ["too big", wire.join(wire.u32(4), "disk", wire.u32(1025))],
    ["about an export that there is not", metaQuery("missing", "base:allocation")],
  ])("forgets what was set before also when it fails: %s", async (_what, data) => {
    const client = await greeted({ disk: mapped() });
    await contexts(client, SET, "disk", "base:allocation");
    await client.refused(SET, data);
    expect(await isSet(client, "disk")).toBe(false);
  });
});

describe.each([
  ["LIST_META_CONTEXT", LIST],
  ["SET_META_CONTEXT", SET],
])("%s", (_name, number) => {
  it("is refused before structured replies or extended headers", async () => {
    const client = connected(await serving(mapped()));
    await client.greet();
    expect(await client.refused(number, metaQuery("", "base:allocation"))).toEqual([
      INVALID,
      "structured replies or extended headers must be negotiated first",
    ]);
  });

  it("is taken after extended headers", async () => {
    const client = await greeted(undefined, wire.EXTENDED_HEADERS);
    expect(await contexts(client, number, "", "base:allocation")).toEqual([[0, "base:allocation"]]);
  });

  it("is refused for an export that there is not", async () => {
    const client = await greeted({ disk: mapped() });
    expect(await client.refused(number, metaQuery("other", "base:allocation"))).toEqual([wire.UNKNOWN, 'there is no export "other"']);
  });

  it("is refused with the text of the DiskError that opening fails with", async () => {
    const client = await greeted({ name: "broken", open: () => Promise.reject(new DiskError("EIO", "no disk today")) });
    expect(await client.refused(number, metaQuery("", "base:allocation"))).toEqual([wire.UNKNOWN, "no disk today"]);
  });

  it("takes 1024 queries, and refuses more", async () => {
    const client = await greeted();
    const queries = Array.from({ length: 1024 }, (_, index) => `x-no:${index}`);
    expect(await contexts(client, number, "", ...queries)).toEqual([]);
    expect(await client.refused(number, metaQuery("", ...queries, "base:allocation"))).toEqual([
      TOO_BIG,
      "1025 queries: at most 1024 are answered",
    ]);
  });

  it.each([
    ["is empty", Buffer.alloc(0), "the option is too short"],
    ["is shorter than its fixed fields", Buffer.alloc(7), "the option is too short"],
    ["has a name that is longer than itself", wire.join(wire.u32(5), "disk", wire.u32(0)), "the export name is longer than the option"],
    ["has a name with a NUL", metaQuery("a\0"), "the export name contains a NUL"],
    ["promises a query that is not there", wire.join(wire.u32(0), wire.u32(1)), "the option is too short"],
    [
      "has a query that is longer than itself",
      wire.join(wire.u32(0), wire.u32(1), wire.u32(6), "base:"),
      "query 1 is longer than the option",
    ],
    ["has a query of 2^32-1 bytes", wire.join(wire.u32(0), wire.u32(1), wire.u32(0xffffffff)), "query 1 is longer than the option"],
    ["has a query with a NUL", metaQuery("", "base:a", "base:\0"), "query 2 contains a NUL"],
    ["has a query that is no UTF-8", wire.join(wire.u32(0), wire.u32(1), wire.u32(1), Buffer.from([0x80])), "query 1 is not UTF-8"],
    ["has a query of 4097 bytes", metaQuery("", "x".repeat(4097)), "query 1 has 4097 bytes: at most 4096 are allowed"],
    ["goes on after its queries", wire.join(metaQuery("", "base:a"), "x"), "1 bytes follow the last query"],
  ])("is refused when it %s, and the session goes on", async (_what, data, text) => {
    const client = await greeted();
    expect(await client.refused(number, data)).toEqual([INVALID, text]);
    expect(await contexts(client, number, "", "base:allocation")).toHaveLength(1);
  });
});
