// Extended headers, an experimental extension: requests and replies of 32 bytes with lengths of 64 bits, and a flag that says whether a payload
// follows. Every reply is a chunk and echoes the offset of its request.

import { describe, expect, it } from "vitest";
import { DiskError } from "../../src/contract/index.ts";
import * as wire from "../client/wire.ts";
import { noise } from "../fixtures/bytes.ts";
import { transmitting } from "../fixtures/raw-client.ts";
import { recorder } from "../fixtures/recorder.ts";

const EINVAL = 22;
const EIO = 5;
const HUGE = 2n ** 63n - 1n;

describe("a length of 64 bits", () => {
  it.each([2n ** 32n, 2n ** 53n + 1n, HUGE])("reaches the disk exactly: %i", async (length) => {
    const disk = recorder(HUGE);
    const client = await transmitting(disk, { mode: "extended" });
    client.request({ type: wire.TRIM, length }, { type: wire.ZERO, length }, { type: wire.CACHE, length });
    await client.expect(client.done(), client.done(), client.done());
    expect(disk.calls).toEqual([`trim 0+${length}`, `zero 0+${length}`, `cache 0+${length}`]);
  });

  it.each([
    [0n, HUGE + 1n],
    [1n, HUGE],
    [2n ** 53n, 2n ** 64n - 1n],
    [2n ** 64n - 1n, 2n ** 64n - 1n],
  ])("is refused past the end: %i, %i", async (offset, length) => {
    const disk = recorder(HUGE);
    const client = await transmitting(disk, { mode: "extended" });
    for (const type of [wire.READ, wire.TRIM, wire.ZERO, wire.CACHE]) {
      client.request({ type, offset, length });
      expect((await client.error())[0]).toBe(type === wire.ZERO ? 28 : EINVAL);
    }
    expect(disk.calls).toEqual([]);
  });

  it.each([2n ** 26n + 1n, 2n ** 32n, 2n ** 53n + 1n])("is more than a read can have: %i", async (length) => {
    const client = await transmitting(recorder(HUGE), { mode: "extended" });
    client.request({ type: wire.READ, length });
    expect((await client.error())[1]).toMatch(/^a read of \d+ bytes: at most 67108864 are served$/);
  });

  it("is none for a flush", async () => {
    const client = await transmitting(recorder(HUGE), { mode: "extended" });
    client.request({ type: wire.FLUSH, length: 2n ** 32n });
    await client.expect(client.failed(EINVAL, "a flush has no offset and no length"));
  });
});

describe("the reply", () => {
  it("echoes the offset of the request, whatever became of it", async () => {
    const client = await transmitting(recorder(HUGE), { mode: "extended" });
    client.request(
      { type: wire.TRIM, offset: 2n ** 60n, length: 1n },
      { type: wire.FLUSH, offset: 0xabcdefn },
      { type: 99, offset: 2n ** 64n - 1n },
    );
    await client.expect(
      client.chunk(1n, 2n ** 60n, wire.DONE, wire.NONE),
      client.failed(EINVAL, "a flush has no offset and no length", 1n, 0xabcdefn),
      client.failed(EINVAL, "command 99 is not known here", 1n, 2n ** 64n - 1n),
    );
  });

  it("echoes it when it comes later, though other requests have come since", async () => {
    const client = await transmitting(recorder(HUGE, "later"), { mode: "extended" });
    client.request(...[7n, 5n, 3n].map((offset) => ({ type: wire.TRIM, cookie: offset, offset, length: 1n })));
    await client.expect(client.done(7n, 7n), client.done(5n, 5n), client.done(3n, 3n));
  });

  it("tells where an error happened beside where the request began", async () => {
    const disk = recorder(HUGE, "at once", {
      trim() {
        throw new DiskError("EIO", "stuck", { offset: 2n ** 62n });
      },
    });
    const client = await transmitting(disk, { mode: "extended" });
    client.request({ type: wire.TRIM, offset: 1n, length: HUGE - 1n });
    await client.expect(client.failed(EIO, "stuck", 1n, 1n, 2n ** 62n));
  });
});

describe("a payload that does not belong to its command", () => {
  it.each([
    ["READ", wire.READ],
    ["FLUSH", wire.FLUSH],
    ["TRIM", wire.TRIM],
    ["CACHE", wire.CACHE],
    ["WRITE_ZEROES", wire.ZERO],
    ["an unknown one", 99],
  ])("is read, the request is refused and the session goes on: %s", async (_name, type) => {
    const disk = recorder(HUGE);
    const client = await transmitting(disk, { mode: "extended" });
    for (const length of [1, 100_000, 0]) {
      client.request({ type, flags: wire.PAYLOAD_LEN, payload: noise(length) });
      expect((await client.error())[0]).toBe(EINVAL);
    }
    expect(disk.calls).toEqual([]);
    client.request({ type: wire.FLUSH });
    await client.expect(client.done());
  });

  it("ends the session when it is too long to be read for nothing", async () => {
    const client = await transmitting(recorder(HUGE), { mode: "extended" });
    client.request({ type: wire.READ, flags: wire.PAYLOAD_LEN, length: 2n ** 32n });
    await client.expectEnd();
  });

  it("makes no difference to DISC", async () => {
    const client = await transmitting(recorder(HUGE, "later"), { mode: "extended" });
    client.request({ type: wire.FLUSH }, { type: wire.DISC, flags: wire.PAYLOAD_LEN, payload: noise(100) });
    await client.expect(client.done());
    await client.expectEnd();
  });
});
