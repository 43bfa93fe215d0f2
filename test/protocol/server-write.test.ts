// WRITE: the one request whose payload follows its header. Refused or not, the payload is read, or nothing after it could be understood.

import { describe, expect, it } from "vitest";
import { DiskError } from "../../src/contract/index.ts";
import * as wire from "../client/wire.ts";
import { noise } from "../fixtures/bytes.ts";
import { extendedRequest } from "../fixtures/client-bytes.ts";
import { ram } from "../fixtures/ram.ts";
import { modes, transmitting } from "../fixtures/raw-client.ts";
import { type Answers, recorder } from "../fixtures/recorder.ts";

const EPERM = 1;
const EIO = 5;
const EINVAL = 22;
const ENOSPC = 28;
const KiB = 1024;
const MiB = 1024 * KiB;

const kinds: readonly Answers[] = ["at once", "later"];

describe.each(modes)("a write with %s replies", (mode) => {
  it("is done before it is answered", async () => {
    const disk = ram(64);
    const client = await transmitting(disk, { mode });
    client.write(5n, Buffer.from("hello"), { cookie: 0xfedcba9876543210n });
    await client.expect(client.done(0xfedcba9876543210n, 5n));
    expect(disk.bytes.toString("latin1", 4, 11)).toBe("\0hello\0");
    await client.disconnect();
  });

  describe.each(kinds)("to a disk that answers %s", (answers) => {
    it.each([1, 511, 4096, 16 * KiB, 64 * KiB, 256 * KiB, 256 * KiB + 1, MiB, 32 * MiB])(
      "reaches it as one call, however many pieces its %i bytes arrive in",
      async (length) => {
        const written: Buffer[] = [];
        const disk = recorder(64 * MiB, answers, {
          write(source) {
            if (answers === "at once") return void written.push(Buffer.from(source));
            // The payload is the disk's until it answers.
            return new Promise((resolve) => setImmediate(() => resolve(void written.push(Buffer.from(source)))));
          },
        });
        const client = await transmitting(disk, { mode });
        const payload = noise(length, length % 251);
        client.write(7n, payload);
        await client.expect(client.done(1n, 7n));
        expect(written).toHaveLength(1);
        expect(written[0]?.equals(payload)).toBe(true);
      },
    );

    it("succeeds when it is about no bytes, and the disk is not asked", async () => {
      const disk = recorder(4096, answers);
      const client = await transmitting(disk, { mode });
      client.write(4096n, Buffer.alloc(0));
      await client.expect(client.done(1n, 4096n));
      expect(disk.calls).toEqual([]);
    });

    it.each<[string, bigint, number]>([
      ["begins past the end", 4096n, 1],
      ["ends past the end", 4000n, 97],
      ["ends far past the end", 0n, MiB],
      ["begins at 2^63-1", 2n ** 63n - 1n, 1],
      ["would wrap around 2^64 to the start", 2n ** 64n - 1n, 4097],
      ["begins past the end and is about no bytes", 4097n, 0],
    ])("fails with ENOSPC when it %s, the disk is not asked and the session goes on", async (_what, offset, length) => {
      const disk = recorder(4096, answers);
      const client = await transmitting(disk, { mode });
      client.write(offset, noise(length), { cookie: 9n });
      client.write(0n, Buffer.alloc(1));
      await client.expect(
        client.failed(ENOSPC, `cannot write: ${length} bytes at ${offset} are not on the disk (4096 bytes)`, 9n, offset),
        client.done(),
      );
      expect(disk.calls).toEqual(["write 0+1"]);
    });

    it("fails with EPERM on an export that is read-only, and the session goes on", async () => {
      const disk = recorder(MiB, answers);
      const client = await transmitting({ name: { plugin: disk, readonly: true } }, { mode });
      for (const [index, length] of [1, 100_000, 0].entries()) {
        client.write(0n, noise(length), { cookie: BigInt(index) });
        await client.expect(client.failed(EPERM, "the export is read-only", BigInt(index)));
      }
      client.request({ type: wire.FLUSH, cookie: 3n });
      await client.expect(client.done(3n));
      expect(disk.calls).toEqual(["flush"]);
    });

    it("keeps its promise of FUA: a disk that knows it is told", async () => {
      const disk = recorder(MiB, answers);
      const client = await transmitting(disk, { mode });
      client.write(0n, noise(512), { flags: wire.FUA });
      await client.expect(client.done());
      expect(disk.calls).toEqual(["write 0+512 fua"]);
    });

    it("keeps its promise of FUA: a disk that does not know it is flushed before the answer", async () => {
      const disk = recorder(MiB, answers, { traits: { fua: "emulate" } });
      const client = await transmitting(disk, { mode });
      client.write(0n, noise(512), { flags: wire.FUA });
      await client.expect(client.done());
      expect(disk.calls).toEqual(["write 0+512", "flush"]);
    });
  });

  it("is refused with FUA where the export has not offered that, and its payload is read", async () => {
    const disk = recorder(MiB, "at once", { flush: undefined as never, traits: { fua: "none" } });
    const client = await transmitting(disk, { mode });
    client.write(0n, noise(70_000), { flags: wire.FUA });
    expect((await client.error())[0]).toBe(EINVAL);
    client.write(0n, noise(512), { cookie: 2n });
    await client.expect(client.done(2n));
    expect(disk.calls).toEqual(["write 0+512"]);
  });

  it("fails with the disk's error and its text", async () => {
    const disk = recorder(MiB, "at once", {
      write() {
        throw new DiskError("EIO", "the head has crashed", { offset: 600n });
      },
    });
    const client = await transmitting(disk, { mode });
    client.write(512n, noise(512));
    await client.expect(client.failed(EIO, "the head has crashed", 1n, 512n, 600n));
  });

  it.each([0x2, 0x4, 0x8, 0x10, 0x40, 0x8000])("is refused with the flag %i, and its payload is read", async (flags) => {
    const disk = recorder(MiB);
    const client = await transmitting(disk, { mode });
    client.write(0n, noise(512), { flags });
    expect((await client.error())[0]).toBe(EINVAL);
    client.write(0n, noise(1), { cookie: 2n });
    await client.expect(client.done(2n));
    expect(disk.calls).toEqual(["write 0+1"]);
  });
});

describe.each(modes)("a write that is too long, with %s replies,", (mode) => {
  const limits = { payload: 128 * KiB, drain: 256 * KiB };

  it("is taken up to the limit", async () => {
    const client = await transmitting(recorder(MiB), { mode }, { limits });
    client.write(0n, noise(128 * KiB));
    await client.expect(client.done());
  });

  it.each([128 * KiB + 1, 256 * KiB])("is read and refused above it, and the session goes on: %i bytes", async (length) => {
    const disk = recorder(MiB);
    const client = await transmitting(disk, { mode }, { limits });
    client.write(0n, noise(length));
    client.write(0n, noise(1), { cookie: 2n });
    await client.expect(client.failed(EINVAL, `a write of ${length} bytes: at most ${128 * KiB} are taken`), client.done(2n));
    expect(disk.calls).toEqual(["write 0+1"]);
  });

  it("ends the session when even reading it would be too much", async () => {
    const client = await transmitting(recorder(MiB), { mode }, { limits });
    client.request({ type: wire.READ, length: 0n });
    client.request({ type: wire.WRITE, flags: mode === "extended" ? wire.PAYLOAD_LEN : 0, length: BigInt(256 * KiB + 1) });
    expect((await client.rest()).length).toBe(mode === "simple" ? 16 : mode === "structured" ? 20 : 32);
  });

  it("is taken when it is within the limit though more than would be read for nothing", async () => {
    const client = await transmitting(recorder(MiB), { mode }, { limits: { payload: 128 * KiB, drain: 65_536 } });
    client.write(0n, noise(128 * KiB));
    await client.expect(client.done());
    client.write(2n ** 40n, noise(65_537));
    await client.expectEnd();
  });
});

it("32 MiB are taken, what is longer is read and refused up to 128 MiB, unless the server is told otherwise", async () => {
  const disk = recorder(2n ** 40n);
  const client = await transmitting(disk);
  const zeroes = Buffer.alloc(32 * MiB + 1);
  client.write(0n, zeroes.subarray(1));
  await client.expect(client.done());
  client.write(0n, zeroes);
  expect((await client.error())[0]).toBe(EINVAL);
  client.request({ type: wire.WRITE, length: BigInt(128 * MiB + 1) });
  await client.expectEnd();
  expect(disk.calls).toEqual([`write 0+${32 * MiB}`]);
});

describe("the flag PAYLOAD_LEN", () => {
  it("is refused without extended headers; the payload is read all the same", async () => {
    const client = await transmitting(recorder(MiB), { mode: "structured" });
    client.write(0n, noise(100), { flags: wire.PAYLOAD_LEN });
    expect((await client.error())[0]).toBe(EINVAL);
    client.write(0n, noise(1), { cookie: 2n });
    await client.expect(client.done(2n));
  });

  it("is demanded with them: without it no payload follows, and there is nothing to write", async () => {
    const disk = recorder(MiB);
    const client = await transmitting(disk, { mode: "extended" });
    client.send(extendedRequest({ type: wire.WRITE, length: 4096n }));
    await client.expect(client.failed(EINVAL, "a write without PAYLOAD_LEN"));
    client.write(0n, noise(1), { cookie: 2n });
    await client.expect(client.done(2n));
    expect(disk.calls).toEqual(["write 0+1"]);
  });

  it.each([2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n])("with a length of %i ends the session", async (length) => {
    const client = await transmitting(recorder(MiB), { mode: "extended" });
    client.send(extendedRequest({ type: wire.WRITE, flags: wire.PAYLOAD_LEN, length }));
    await client.expectEnd();
  });
});
