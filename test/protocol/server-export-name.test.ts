// EXPORT_NAME, the oldest option: it chooses an export and ends the negotiation. Its answer has no room for an error, so the server hangs up.

import { expect, it } from "vitest";
import { DiskError } from "../../src/contract/index.ts";
import * as wire from "../client/wire.ts";
import { metaQuery, option, request } from "../fixtures/client-bytes.ts";
import { ram } from "../fixtures/ram.ts";
import { connected, serving } from "../fixtures/raw-client.ts";

const EVERYTHING =
  wire.HAS_FLAGS |
  wire.SEND_FLUSH |
  wire.SEND_FUA |
  wire.SEND_TRIM |
  wire.SEND_WRITE_ZEROES |
  wire.CAN_MULTI_CONN |
  wire.SEND_CACHE |
  wire.SEND_FAST_ZERO;

it("is answered with the size and the transmission flags, without more when the client wants no zeroes", async () => {
  const client = connected(await serving(ram(0x12345)));
  await client.greet(wire.FIXED_NEWSTYLE | wire.NO_ZEROES);
  client.send(option(wire.EXPORT_NAME, "any name"));
  await client.expect(wire.u64(0x12345n), wire.u16(EVERYTHING));
  await client.disconnect();
});

it("is followed by 124 zeroes for a client that did not ask to be spared them", async () => {
  const client = connected(await serving(ram(4096)));
  await client.greet(wire.FIXED_NEWSTYLE);
  client.send(option(wire.EXPORT_NAME, ""));
  await client.expect(wire.u64(4096n), wire.u16(EVERYTHING), Buffer.alloc(124));
  await client.disconnect();
});

it("enters the transmission phase: a request may follow at once", async () => {
  const client = connected(await serving(ram(Buffer.from("sixteen letters!"))));
  await client.greet();
  client.send(option(wire.EXPORT_NAME), request({ type: wire.READ, cookie: 7n, offset: 8n, length: 7n }));
  await client.expect(wire.u64(16n), wire.u16(EVERYTHING), wire.simpleReply(7n, 0, Buffer.from("letters")));
  await client.disconnect();
});

it("keeps what was negotiated before: structured replies and contexts", async () => {
  const client = connected(await serving(ram(4096)));
  await client.greet();
  await client.ask(wire.STRUCTURED_REPLY);
  await client.ask(wire.SET_META_CONTEXT, metaQuery("disk", "base:allocation"));
  client.send(option(wire.EXPORT_NAME, "disk"), request({ type: wire.BLOCK_STATUS, length: 4096n }));
  await client.expect(wire.u64(4096n), wire.u16(EVERYTHING | wire.SEND_DF));
  await client.expect(wire.chunk(1n, wire.DONE, wire.STATUS, wire.statusPayload(0, [[4096, 3]])));
  await client.disconnect();
});

it.each([
  ["does not exist", "missing"],
  ["cannot be opened", "broken"],
])("ends the session when the export %s", async (_name, name) => {
  const broken = {
    name: "broken",
    open: () => {
      throw new DiskError("EIO", "no disk today");
    },
  };
  const client = connected(await serving({ there: ram(4096), broken }));
  await client.greet();
  client.send(option(wire.EXPORT_NAME, name));
  await client.expectEnd();
});

it.each([
  ["has a NUL in its name", "a\0b"],
  ["has a name that is no UTF-8", Buffer.from([0xc3, 0x28])],
  ["has a name of 4097 bytes", "x".repeat(4097)],
  ["has a name that is longer than any option may be", "x".repeat(65_537)],
])("ends the session when it %s", async (_name, name) => {
  const client = connected(await serving(ram(4096)));
  await client.greet();
  client.send(option(wire.EXPORT_NAME, name));
  await client.expectEnd();
});

it("takes a name of 4096 bytes", async () => {
  const client = connected(await serving(ram(4096)));
  await client.greet();
  client.send(option(wire.EXPORT_NAME, "x".repeat(4096)));
  expect((await client.read(10)).readBigUInt64BE()).toBe(4096n);
});

it("ends the session after extended headers, with which it does not go together", async () => {
  const client = connected(await serving(ram(4096)));
  await client.greet();
  await client.ask(wire.EXTENDED_HEADERS);
  client.send(option(wire.EXPORT_NAME, ""));
  await client.expectEnd();
});
