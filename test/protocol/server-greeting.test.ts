// How a session begins: the server greets, the client answers with its flags.

import { expect, it } from "vitest";
import * as wire from "../client/wire.ts";
import { clientFlags, option } from "../fixtures/client-bytes.ts";
import { ram } from "../fixtures/ram.ts";
import { connected, serving } from "../fixtures/raw-client.ts";

it("greets with two magic numbers and its handshake flags: fixed newstyle, and no zeroes on request", async () => {
  const client = connected(await serving(ram(4096)));
  await client.expect("NBDMAGIC", "IHAVEOPT", Buffer.from([0, 3]));
});

it("says nothing more until the client has sent its flags and an option", async () => {
  const client = connected(await serving(ram(4096)));
  await client.greet();
  client.send(option(wire.ABORT));
  await client.expect(wire.optionReply(wire.ABORT, wire.ACK));
  await client.expectEnd();
});

it.each([
  ["none", 0],
  ["fixed newstyle alone", wire.FIXED_NEWSTYLE],
  ["no zeroes alone", wire.NO_ZEROES],
  ["both", wire.FIXED_NEWSTYLE | wire.NO_ZEROES],
])("takes a client that sets these flags: %s", async (_name, flags) => {
  const client = connected(await serving(ram(4096)));
  await client.greet(flags);
  expect((await client.ask(wire.STRUCTURED_REPLY)).map(({ type }) => type)).toEqual([wire.ACK]);
});

it.each([[4], [0x100], [0x80000000], [0xffffffff], [7]])("hangs up on a client that sets a flag which is not known: %i", async (flags) => {
  const client = connected(await serving(ram(4096)));
  await client.expect(wire.greeting());
  client.send(clientFlags(flags), option(wire.LIST));
  await client.expectEnd();
});
