// The options that stand by themselves: ABORT, LIST, STRUCTURED_REPLY, EXTENDED_HEADERS, STARTTLS and those that nobody knows.

import { describe, expect, it } from "vitest";
import { DiskError } from "../../src/contract/index.ts";
import type { ExportInfo, Plugin } from "../../src/contract/plugin.ts";
import * as wire from "../client/wire.ts";
import { infoQuery, option } from "../fixtures/client-bytes.ts";
import { ram } from "../fixtures/ram.ts";
import { connected, type RawClient, serving } from "../fixtures/raw-client.ts";
import { warning } from "../fixtures/warning.ts";

const STARTTLS = 5;
const INFO = 6;
const PEEK_EXPORT = 4;
const INVALID = wire.ERR(3);
const TOO_BIG = wire.ERR(9);
const EXT_HEADER_REQD = wire.ERR(10);

async function greeted(source: Plugin = ram(4096)): Promise<RawClient> {
  const client = connected(await serving(source));
  await client.greet();
  return client;
}

describe("ABORT", () => {
  it("is acknowledged, and the server hangs up", async () => {
    const client = await greeted();
    client.send(option(wire.ABORT));
    await client.expect(Buffer.from("0003e889045565a9", "hex"), wire.u32(wire.ABORT), wire.u32(wire.ACK), wire.u32(0));
    await client.expectEnd();
  });

  it("is acknowledged in spite of data that it should not have", async () => {
    const client = await greeted();
    client.send(option(wire.ABORT, "goodbye"));
    await client.expect(wire.optionReply(wire.ABORT, wire.ACK));
    await client.expectEnd();
  });

  it("is the last that is listened to", async () => {
    const client = await greeted();
    client.send(option(wire.ABORT), option(wire.LIST));
    await client.expect(wire.optionReply(wire.ABORT, wire.ACK));
    await client.expectEnd();
  });
});

describe("LIST", () => {
  it("is answered with a reply for each export, its name before its description, and an ACK", async () => {
    const plugin: Plugin = { ...ram(512), exports: () => [{ name: "" }, { name: "disk", description: "für alle" }, { name: "日本" }] };
    const client = await greeted(plugin);
    client.send(option(wire.LIST));
    await client.expect(
      wire.optionReply(wire.LIST, wire.SERVER, wire.join(wire.u32(0))),
      wire.optionReply(wire.LIST, wire.SERVER, wire.join(wire.u32(4), "disk", "für alle")),
      wire.optionReply(wire.LIST, wire.SERVER, wire.join(wire.u32(6), "日本")),
      wire.optionReply(wire.LIST, wire.ACK),
    );
  });

  it("shows the default export of a plugin that lists none", async () => {
    const client = await greeted({ ...ram(512), defaultExport: () => "main" });
    client.send(option(wire.LIST));
    await client.expect(wire.serverReply("main"), wire.optionReply(wire.LIST, wire.ACK));
  });

  it("may be asked again", async () => {
    const client = await greeted();
    expect(await client.ask(wire.LIST)).toEqual(await client.ask(wire.LIST));
  });

  it("shows ten thousand exports, and no more", async () => {
    const exports = Array.from({ length: 10_001 }, (_, index) => ({ name: `disk ${index}` }));
    const client = await greeted({ ...ram(512), exports: () => exports });
    const replies = await client.ask(wire.LIST);
    expect(replies).toHaveLength(10_001);
    expect(replies[9_999]?.payload.toString("utf8", 4)).toBe("disk 9999");
    expect(replies[10_000]?.type).toBe(wire.ACK);
  });

  it("takes a list that comes bit by bit", async () => {
    async function* exports() {
      yield { name: "one" };
      yield { name: "two" };
    }
    const client = await greeted({ ...ram(512), exports });
    client.send(option(wire.LIST));
    await client.expect(wire.serverReply("one"), wire.serverReply("two"), wire.optionReply(wire.LIST, wire.ACK));
  });

  it("is refused with data", async () => {
    const client = await greeted();
    expect(await client.refused(wire.LIST, "x")).toEqual([INVALID, "option 3 takes no data, but 1 bytes came with it"]);
  });

  it("is refused with the text of a DiskError when the plugin cannot list", async () => {
    const client = await greeted({
      ...ram(512),
      exports: () => {
        throw new DiskError("EPERM", "the catalogue is closed on Mondays");
      },
    });
    expect(await client.refused(wire.LIST)).toEqual([wire.POLICY, "the catalogue is closed on Mondays"]);
  });

  it.each<[string, unknown, string]>([
    ["a name of more than 4096 bytes", { name: "x".repeat(4097) }, "at most 4096 bytes of UTF-8 without NUL are allowed"],
    ["a name with a NUL", { name: "a\0b" }, "at most 4096 bytes of UTF-8 without NUL are allowed"],
    ["a name that is no string", { name: 7 }, 'ram lists {"name":7}: expected a name, and perhaps a description, as strings'],
  ])("is refused when the plugin lists what cannot be sent, which the app is told: %s", async (_what, info, text) => {
    const { client, warned } = await warning(async () => {
      const client = await greeted({ ...ram(512), exports: () => [{ name: "good" }, info as ExportInfo] });
      expect(await client.refused(wire.LIST)).toEqual([wire.POLICY, "listing exports failed"]);
      return { client };
    });
    expect(warned).toEqual([expect.stringContaining(text)]);
    expect((await client.refused(99))[0]).toBe(wire.UNSUP);
  });
});

describe("STRUCTURED_REPLY", () => {
  it("is acknowledged once, then refused", async () => {
    const client = await greeted();
    client.send(option(wire.STRUCTURED_REPLY));
    await client.expect(wire.optionReply(wire.STRUCTURED_REPLY, wire.ACK));
    expect(await client.refused(wire.STRUCTURED_REPLY)).toEqual([INVALID, "structured replies are already negotiated"]);
  });

  it("is refused with data, and stays to be negotiated", async () => {
    const client = await greeted();
    expect((await client.refused(wire.STRUCTURED_REPLY, "x"))[0]).toBe(INVALID);
    expect((await client.ask(wire.STRUCTURED_REPLY)).map(({ type }) => type)).toEqual([wire.ACK]);
  });

  it("is refused after extended headers, which are more", async () => {
    const client = await greeted();
    await client.ask(wire.EXTENDED_HEADERS);
    expect(await client.refused(wire.STRUCTURED_REPLY)).toEqual([EXT_HEADER_REQD, "extended headers are already negotiated"]);
  });
});

describe("EXTENDED_HEADERS", () => {
  it("is acknowledged once, then refused", async () => {
    const client = await greeted();
    client.send(option(wire.EXTENDED_HEADERS));
    await client.expect(wire.optionReply(wire.EXTENDED_HEADERS, wire.ACK));
    expect(await client.refused(wire.EXTENDED_HEADERS)).toEqual([INVALID, "extended headers are already negotiated"]);
  });

  it("is acknowledged after structured replies", async () => {
    const client = await greeted();
    await client.ask(wire.STRUCTURED_REPLY);
    client.send(option(wire.EXTENDED_HEADERS));
    await client.expect(wire.optionReply(wire.EXTENDED_HEADERS, wire.ACK));
  });

  it("is refused with data", async () => {
    const client = await greeted();
    expect((await client.refused(wire.EXTENDED_HEADERS, "x"))[0]).toBe(INVALID);
  });
});

describe("STARTTLS", () => {
  it("is refused: there is no TLS here, and the session goes on", async () => {
    const client = await greeted();
    expect(await client.refused(STARTTLS)).toEqual([wire.UNSUP, "this server has no TLS"]);
    expect((await client.ask(wire.LIST)).at(-1)?.type).toBe(wire.ACK);
  });

  it("is refused as invalid with data", async () => {
    const client = await greeted();
    expect((await client.refused(STARTTLS, "x"))[0]).toBe(INVALID);
  });

  it("forgets nothing when it is refused", async () => {
    const client = await greeted();
    await client.ask(wire.STRUCTURED_REPLY);
    await client.refused(STARTTLS);
    expect((await client.refused(wire.STRUCTURED_REPLY))[0]).toBe(INVALID);
  });
});

describe("an option that is not known", () => {
  it.each([PEEK_EXPORT, 0, 12, 99, 0x80000000, 0xffffffff])("is refused, and the session goes on: %i", async (number) => {
    const client = await greeted();
    expect(await client.refused(number, "with data")).toEqual([wire.UNSUP, `option ${number} is not known here`]);
    expect((await client.ask(wire.LIST)).at(-1)?.type).toBe(wire.ACK);
  });
});

describe("an option of a length that no option has", () => {
  it("is read and refused, and the session goes on", async () => {
    const client = await greeted();
    expect(await client.refused(wire.LIST, Buffer.alloc(65_537))).toEqual([TOO_BIG, "the option has 65537 bytes: at most 65536 are read"]);
    expect((await client.ask(wire.LIST)).at(-1)?.type).toBe(wire.ACK);
  });

  it("ends the session at once when it is not even worth reading", async () => {
    const client = await greeted();
    client.send(option(wire.LIST, "", 16 * 1024 * 1024 + 1));
    await client.expectEnd();
  });

  it("is waited for: a client that promises data owes it", async () => {
    const client = await greeted();
    client.send(option(INFO, infoQuery("").subarray(0, 3), 6));
    client.send(infoQuery("").subarray(3));
    expect((await client.optionReply()).type).toBe(wire.INFO);
  });
});

describe("the frame of an option", () => {
  it("begins with its magic; anything else ends the session", async () => {
    const client = await greeted();
    client.send("IHAVEOPS", wire.u32(wire.LIST), wire.u32(0));
    await client.expectEnd();
  });

  it("ends the session after more options than a negotiation may have", async () => {
    const client = connected(await serving(ram(512), { limits: { options: 3 } }));
    await client.greet();
    for (let i = 0; i < 3; i += 1) expect((await client.refused(99))[0]).toBe(wire.UNSUP);
    client.send(option(99));
    await client.expectEnd();
  });

  it("may come with the next one: options are answered one after the other", async () => {
    const client = await greeted();
    client.send(option(wire.LIST), option(99), option(wire.LIST));
    const list = wire.join(wire.serverReply(""), wire.optionReply(wire.LIST, wire.ACK));
    await client.expect(list, wire.optionReply(99, wire.UNSUP, "option 99 is not known here"), list);
  });
});

describe("the time for negotiating", () => {
  it("is bounded: a client that says nothing is let go", async () => {
    const client = connected(await serving(ram(512), { limits: { handshakeTimeout: 50 } }));
    await client.expect(wire.greeting());
    await client.expectEnd();
  });

  it("is bounded as a whole, not from option to option", async () => {
    const client = connected(await serving(ram(512), { limits: { handshakeTimeout: 100, options: 2 ** 31 } }));
    await client.greet();
    let asked = 0;
    const chatter = async (): Promise<never> => {
      for (;;) {
        await client.ask(wire.LIST);
        asked += 1;
      }
    };
    await expect(chatter()).rejects.toThrow("the server hung up");
    expect(asked).toBeGreaterThan(0);
  });

  it("is over when the transmission phase begins", async () => {
    const client = connected(await serving(ram(512), { limits: { handshakeTimeout: 100 } }));
    await client.negotiate();
    await new Promise((resolve) => setTimeout(resolve, 150));
    client.request({ type: wire.READ, length: 1n });
    await client.expect(client.data(Buffer.alloc(1)));
  });
});
