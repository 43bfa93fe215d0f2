// A stream has no messages: whatever pieces the client's bytes arrive in, the server's answer is the same, byte for byte.

import { describe, expect, it } from "vitest";
import { pipe } from "../../src/contract/index.ts";
import * as wire from "../client/wire.ts";
import { request } from "../fixtures/client-bytes.ts";
import { bytewise, randomPieces } from "../fixtures/pieces.ts";
import { late, ram } from "../fixtures/ram.ts";
import { connected, dialled, expectSame, type RawClient, serving } from "../fixtures/raw-client.ts";
import { type Recorded, SIZE, sessionDisk, sessions } from "../fixtures/sessions.ts";

/** Sends pieces, each in a turn of its own, and hears all that the server says. */
async function play(client: RawClient, pieces: readonly Buffer[]): Promise<Buffer> {
  const answer = client.rest();
  for (const piece of pieces) {
    if (client.stream.destroyed || client.stream.writableEnded) break;
    client.send(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return answer;
}

/** What the server says when each message is sent alone, after the answer to the last. */
async function politely({ messages }: Recorded): Promise<Buffer> {
  return play(connected(await serving(sessionDisk())), messages);
}

describe.each(sessions().map((session) => [session.name, session] as const))("%s", (_name, session) => {
  const bytes = Buffer.concat(session.messages);

  it("all at once", async () => {
    expectSame(await play(connected(await serving(sessionDisk())), [bytes]), await politely(session));
  });

  it.each([1, 2, 3, 4])("in random pieces (%i)", async (seed) => {
    expectSame(await play(connected(await serving(sessionDisk())), randomPieces(bytes, seed)), await politely(session));
  });

  it.each([5, 6])("in random pieces through a socket, which may join them again (%i)", async (seed) => {
    const client = await dialled(await serving(sessionDisk(), { listen: true }));
    expectSame(await play(client, randomPieces(bytes, seed)), await politely(session));
  });

  // A long option says nothing more byte by byte than a short one does.
  it.skipIf(bytes.length > 50_000)("byte by byte", async () => {
    expectSame(await play(connected(await serving(sessionDisk())), bytewise(bytes)), await politely(session));
  });
});

it("the sessions are heard out: four of them to their last request", async () => {
  const lengths = await Promise.all(sessions().map(async (session) => (await politely(session)).length));
  expect(Math.min(...lengths)).toBe(18);
  expect(lengths.filter((length) => length > 170_000)).toHaveLength(4);
});

describe("large writes, which sockets read straight to where they belong", () => {
  const lengths = [65_535, 65_536, 65_537, 200_000, 262_144, 262_145, 300_000, 64, 131_072];

  it.each([1, 2, 3, 4, 5, 6])("arrive whole in whatever pieces (%i)", async (seed) => {
    const disk = ram(SIZE);
    const client = await dialled(await serving(seed % 2 === 0 ? pipe(disk, late(1, seed)) : disk, { listen: true }));
    await client.negotiate({ mode: seed % 3 === 0 ? "extended" : "simple" });
    for (const [index, length] of lengths.entries()) {
      const payload = Buffer.alloc(length, (seed << 4) | index);
      const message = request({ type: wire.WRITE, cookie: BigInt(index), offset: BigInt(index), payload });
      if (client.mode === "simple") for (const piece of randomPieces(message, seed * 100 + index, 200_000)) client.send(piece);
      else client.write(BigInt(index), payload, { cookie: BigInt(index) });
      await client.expect(client.done(BigInt(index), BigInt(index)));
      expectSame(disk.bytes.subarray(index, index + length), payload);
    }
    await client.disconnect();
    expect(disk.bytes[lengths.length - 2]).toBe((seed << 4) | (lengths.length - 2));
  });
});
