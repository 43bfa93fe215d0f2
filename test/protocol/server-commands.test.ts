// FLUSH, TRIM, WRITE_ZEROES and CACHE, whose headers say it all; DISC; and commands that nobody knows.

import { describe, expect, it } from "vitest";
import { type Connection, DiskError } from "../../src/contract/index.ts";
import * as wire from "../client/wire.ts";
import { request } from "../fixtures/client-bytes.ts";
import { modes, transmitting } from "../fixtures/raw-client.ts";
import { type Answers, recorder } from "../fixtures/recorder.ts";

const EPERM = 1;
const EIO = 5;
const EINVAL = 22;
const ENOSPC = 28;
const ENOTSUP = 95;
const MiB = 1024n * 1024n;
const { FUA, NO_HOLE, FAST_ZERO } = wire;

const kinds: readonly Answers[] = ["at once", "later"];
const nothing = undefined as never;

describe.each(modes)("with %s replies,", (mode) => {
  describe.each(kinds)("on a disk that answers %s,", (answers) => {
    const open = (more: Partial<Connection> = {}) => {
      const disk = recorder(MiB, answers, more);
      return transmitting(disk, { mode }).then((client) => ({ disk, client }));
    };

    describe("FLUSH", () => {
      it("flushes the disk", async () => {
        const { disk, client } = await open();
        client.request({ type: wire.FLUSH, cookie: 3n });
        await client.expect(client.done(3n));
        expect(disk.calls).toEqual(["flush"]);
      });

      it("may carry FUA, as every command where that is offered", async () => {
        const { disk, client } = await open();
        client.request({ type: wire.FLUSH, flags: FUA });
        await client.expect(client.done());
        expect(disk.calls).toEqual(["flush"]);
      });

      it.each([
        [512n, 0n],
        [0n, 512n],
      ])("is refused with an offset or a length: %i, %i", async (offset, length) => {
        const { disk, client } = await open();
        client.request({ type: wire.FLUSH, offset, length });
        await client.expect(client.failed(EINVAL, "a flush has no offset and no length", 1n, offset));
        expect(disk.calls).toEqual([]);
      });

      it("is refused where it was not offered", async () => {
        const { client } = await open({ flush: nothing, traits: {} });
        client.request({ type: wire.FLUSH });
        await client.expect(client.failed(EINVAL, "this export has nothing to flush"));
      });

      it("fails with the disk's error, which has no place", async () => {
        const { client } = await open({
          flush() {
            throw new DiskError("EIO", "it would not stick", { offset: 0n });
          },
        });
        client.request({ type: wire.FLUSH });
        await client.expect(client.failed(EIO, "it would not stick"));
      });
    });

    describe("TRIM", () => {
      it.each([
        [0, "trim 4096+8192"],
        [FUA, "trim 4096+8192 fua"],
      ])("trims, with the flags %i", async (flags, call) => {
        const { disk, client } = await open();
        client.request({ type: wire.TRIM, flags, offset: 4096n, length: 8192n });
        await client.expect(client.done(1n, 4096n));
        expect(disk.calls).toEqual([call]);
      });

      it("may be longer than any payload", async () => {
        const disk = recorder(2n ** 40n, answers);
        const client = await transmitting(disk, { mode });
        client.request({ type: wire.TRIM, length: 2n ** 32n - 512n });
        await client.expect(client.done());
        expect(disk.calls).toEqual([`trim 0+${2n ** 32n - 512n}`]);
      });

      it("fails with EINVAL past the end", async () => {
        const { disk, client } = await open();
        client.request({ type: wire.TRIM, offset: MiB, length: 1n });
        await client.expect(client.failed(EINVAL, `cannot trim: 1 bytes at ${MiB} are not on the disk (${MiB} bytes)`, 1n, MiB));
        expect(disk.calls).toEqual([]);
      });

      it("is refused where it was not offered", async () => {
        const { client } = await open({ trim: nothing });
        client.request({ type: wire.TRIM, length: 512n });
        await client.expect(client.failed(EINVAL, "cannot trim: the disk has no trim"));
      });
    });

    describe("WRITE_ZEROES", () => {
      it.each([
        [0, "zero 512+1024"],
        [FUA, "zero 512+1024 fua"],
        [NO_HOLE, "zero 512+1024 noHole"],
        [FAST_ZERO, "zero 512+1024 fastZero"],
        [FUA | NO_HOLE, "zero 512+1024 fua noHole"],
        [FUA | FAST_ZERO, "zero 512+1024 fua fastZero"],
        [NO_HOLE | FAST_ZERO, "zero 512+1024 noHole fastZero"],
        [FUA | NO_HOLE | FAST_ZERO, "zero 512+1024 fua noHole fastZero"],
      ])("zeroes, with the flags %i", async (flags, call) => {
        const { disk, client } = await open();
        client.request({ type: wire.ZERO, flags, offset: 512n, length: 1024n });
        await client.expect(client.done(1n, 512n));
        expect(disk.calls).toEqual([call]);
      });

      it("is writing zeroes on a disk that has nothing better, in slices", async () => {
        const { disk, client } = await open({ zero: nothing, trim: nothing, traits: { fua: "native" } });
        client.request({ type: wire.ZERO, flags: FUA | NO_HOLE, offset: 1n, length: MiB - 1n });
        await client.expect(client.done(1n, 1n));
        expect(disk.calls).toEqual([`write 1+${MiB - 1n} fua`]);
      });

      it("fails with ENOTSUP when it is to be fast and is not, and nothing is written", async () => {
        const { disk, client } = await open({ zero: nothing, traits: {} });
        client.request({ type: wire.ZERO, flags: FAST_ZERO, length: 512n });
        await client.expect(client.failed(ENOTSUP, "cannot zero fast: writing is no slower here"));
        expect(disk.calls).toEqual([]);
      });

      it("passes the disk's own ENOTSUP on when it is to be fast", async () => {
        const zero = () => Promise.reject(new DiskError("ENOTSUP", "not here, not fast"));
        const { client } = await open({ zero });
        client.request({ type: wire.ZERO, flags: FAST_ZERO, length: 512n });
        await client.expect(client.failed(ENOTSUP, "not here, not fast"));
      });

      it("writes when the disk answers ENOTSUP and it need not be fast", async () => {
        const zero = () => Promise.reject(new DiskError("ENOTSUP", "not here"));
        const { disk, client } = await open({ zero });
        client.request({ type: wire.ZERO, length: 512n });
        await client.expect(client.done());
        expect(disk.calls).toEqual(["write 0+512"]);
      });

      it("is refused with FAST_ZERO where that was not offered", async () => {
        const { client } = await open({ traits: { fua: "native" } });
        client.request({ type: wire.ZERO, flags: FAST_ZERO, length: 512n });
        expect((await client.error())[0]).toBe(EINVAL);
      });

      it("fails with ENOSPC past the end", async () => {
        const { disk, client } = await open();
        client.request({ type: wire.ZERO, offset: MiB - 1n, length: 2n });
        await client.expect(client.failed(ENOSPC, `cannot zero: 2 bytes at ${MiB - 1n} are not on the disk (${MiB} bytes)`, 1n, MiB - 1n));
        expect(disk.calls).toEqual([]);
      });
    });

    describe("CACHE", () => {
      it("asks the disk to have the range ready", async () => {
        const { disk, client } = await open();
        client.request({ type: wire.CACHE, offset: 512n, length: 65_536n });
        await client.expect(client.done(1n, 512n));
        expect(disk.calls).toEqual(["cache 512+65536"]);
      });

      it("is reading on a disk that has nothing better", async () => {
        const { disk, client } = await open({ cache: nothing });
        client.request({ type: wire.CACHE, length: MiB });
        await client.expect(client.done());
        expect(disk.calls).toEqual([`read 0+${MiB}`]);
      });

      it("is refused where it was not offered", async () => {
        const { client } = await open({ cache: nothing, traits: { cache: "none" } });
        client.request({ type: wire.CACHE, length: 512n });
        await client.expect(client.failed(EINVAL, "cannot cache: the disk refuses to"));
      });

      it("fails with EINVAL past the end", async () => {
        const { client } = await open();
        client.request({ type: wire.CACHE, offset: 2n ** 64n - 1n, length: 1n });
        expect((await client.error())[0]).toBe(EINVAL);
      });
    });

    it.each([
      ["TRIM", wire.TRIM],
      ["WRITE_ZEROES", wire.ZERO],
      ["CACHE", wire.CACHE],
    ])("%s of no bytes succeeds, and the disk is not asked", async (_name, type) => {
      const { disk, client } = await open();
      client.request({ type, offset: MiB, length: 0n });
      await client.expect(client.done(1n, MiB));
      expect(disk.calls).toEqual([]);
    });

    it.each([
      ["TRIM", wire.TRIM],
      ["WRITE_ZEROES", wire.ZERO],
    ])("%s is refused with EPERM on an export that is read-only", async (_name, type) => {
      const disk = recorder(MiB, answers);
      const client = await transmitting(disk, { mode }, { readonly: true });
      client.request({ type, length: 512n });
      await client.expect(client.failed(EPERM, "the export is read-only"));
      expect(disk.calls).toEqual([]);
    });

    it("DISC is not answered, but what was asked before it is", async () => {
      const { disk, client } = await open();
      client.request(
        { type: wire.FLUSH, cookie: 1n },
        { type: wire.TRIM, cookie: 2n, length: 512n },
        { type: wire.DISC, cookie: 3n },
        { type: wire.FLUSH, cookie: 4n },
      );
      await client.expect(client.done(1n), client.done(2n));
      await client.expectEnd();
      expect(disk.calls).toEqual(["flush", "trim 0+512"]);
    });
  });

  it.each([0x2, 0x4, 0x8, 0x10, 0x40, 0x80, 0x8000])("the flag %i is refused on the commands that do not know it", async (flag) => {
    const disk = recorder(MiB);
    const client = await transmitting(disk, { mode, contexts: mode === "simple" ? [] : ["base:allocation"] });
    const known = new Map([
      [wire.READ, mode === "simple" ? 0 : 0x4],
      [wire.ZERO, NO_HOLE | FAST_ZERO],
      [wire.BLOCK_STATUS, wire.REQ_ONE],
    ]);
    for (const type of [wire.READ, wire.FLUSH, wire.TRIM, wire.CACHE, wire.ZERO, wire.BLOCK_STATUS]) {
      if (((known.get(type) ?? 0) & flag) !== 0) continue;
      client.request({ type, flags: flag });
      expect(await client.error()).toEqual([
        EINVAL,
        mode === "simple" ? "" : `flags 0x${flag.toString(16)} are not all allowed for command ${type}`,
      ]);
    }
    expect(disk.calls).toEqual([]);
  });

  it.each([8, 9, 99, 0xffff])("the command %i is not known, and the session goes on", async (type) => {
    const client = await transmitting(recorder(MiB), { mode });
    client.request({ type, offset: 1n, length: 4096n });
    await client.expect(client.failed(EINVAL, `command ${type} is not known here`, 1n, 1n));
    client.request({ type: wire.FLUSH });
    await client.expect(client.done());
  });

  it.each([
    ["is none that there is", 0x12345678],
    ["is the one of a reply", 0x67446698],
    ["was NBD's until Linux 2.1.116", 0x12560953],
    ["is the one of the other kind of header", mode === "extended" ? 0x25609513 : 0x21e41c71],
  ])("a magic that %s ends the session, after the replies to what came before it", async (_what, magic) => {
    const client = await transmitting(recorder(MiB), { mode });
    client.request({ type: wire.FLUSH }, { type: wire.FLUSH, magic }, { type: wire.FLUSH });
    await client.expect(client.done());
    await client.expectEnd();
  });
});

it("a wrong magic is found out by its four bytes: the rest of the header is not waited for", async () => {
  const client = await transmitting(recorder(MiB));
  client.send("GET ");
  await client.expectEnd();
});

it("a client that leaves in the middle of a request is let go", async () => {
  const disk = recorder(MiB);
  const client = await transmitting(disk);
  client.send(request({ type: wire.WRITE, length: 512n }), Buffer.alloc(511));
  client.stream.end();
  await client.expectEnd();
  expect(disk.calls).toEqual([]);
});

it("a client that just ends its side has its requests answered, as one that says DISC", async () => {
  const client = await transmitting(recorder(MiB, "later"));
  client.request({ type: wire.FLUSH });
  client.stream.end();
  await client.expect(client.done());
  await client.expectEnd();
});
