import { describe, expect, it } from "vitest";
import { type ExportQuery, negotiateContextList, negotiateExport, negotiateList } from "../../src/protocol/client-negotiation.ts";
import { type Script, ScriptRunner } from "../../src/protocol/client-script.ts";
import * as wire from "../client/wire.ts";

const {
  ACK,
  GO,
  INFO,
  LIST,
  LIST_META_CONTEXT,
  SET_META_CONTEXT,
  STRUCTURED_REPLY,
  EXTENDED_HEADERS,
  UNSUP,
  join,
  optionReply,
  u16,
  u32,
  u64,
} = wire;

interface Replay {
  /** What the client sent. */
  readonly said: Buffer;
  readonly result?: unknown;
  readonly error?: unknown;
  /** How many bytes of the server's it took. */
  readonly taken: number;
}

/** Plays a server's bytes to a script, `size` at a time. */
function replay(script: Script<unknown>, server: Buffer, size: number): Replay {
  const runner = new ScriptRunner(script);
  const said: Uint8Array[] = [];
  let taken = 0;
  try {
    runner.start();
    for (const piece of wire.cut(server, size)) {
      taken += runner.receive(piece);
      said.push(...runner.takeOutput());
    }
  } catch (error) {
    return { said: join(...said, ...runner.takeOutput()), error, taken };
  }
  return { said: join(...said, ...runner.takeOutput()), ...(runner.result && { result: runner.result.value }), taken };
}

/** Plays the bytes whole, and again in small pieces, which must make no difference. */
function play(makeScript: () => Script<unknown>, ...server: readonly Buffer[]): Replay {
  const bytes = join(...server);
  const whole = replay(makeScript(), bytes, bytes.length);
  for (const size of [1, 2, 3, 7, 64]) {
    const pieces = replay(makeScript(), bytes, size);
    if (whole.error !== undefined) expect(String(pieces.error)).toBe(String(whole.error));
    else expect(pieces).toEqual(whole);
    expect(pieces.said.equals(whole.said)).toBe(true);
  }
  return whole;
}

function open(query: Partial<ExportQuery>, ...server: readonly Buffer[]): Replay {
  return play(() => negotiateExport({ exportName: "disk", replies: "extended", contexts: [], ...query }), ...server);
}

function option(number: number, data: Uint8Array | string = ""): Buffer {
  return join("IHAVEOPT", u32(number), u32(Buffer.byteLength(data)), data);
}

function queries(...names: readonly string[]): Buffer {
  return join(u32(4), "disk", u32(names.length), ...names.map((name) => join(u32(name.length), name)));
}

const go = option(GO, join(u32(4), "disk", u16(3), u16(1), u16(2), u16(3)));
const setContexts = option(SET_META_CONTEXT, queries("base:allocation"));
const flags3 = u32(3);
const failure = (code: string, text: string): unknown => expect.objectContaining({ code, message: expect.stringContaining(text) });

const allocation = join(wire.contextReply(SET_META_CONTEXT, 77, "base:allocation"), optionReply(SET_META_CONTEXT, ACK));
const started = join(wire.exportInfo(4096n, wire.HAS_FLAGS | wire.SEND_FLUSH), optionReply(GO, ACK));

describe("negotiating an export", () => {
  it("asks for extended headers, base:allocation and the export's information, then goes", () => {
    const { said, result, taken } = open(
      {},
      wire.greeting(),
      optionReply(EXTENDED_HEADERS, ACK),
      allocation,
      wire.blockSizeInfo(512, 4096, 65536),
      optionReply(GO, INFO, join(u16(1), "the real name")),
      optionReply(GO, INFO, join(u16(2), "a disk")),
      optionReply(GO, INFO, join(u16(99), "something new")),
      started,
    );
    expect(said.equals(join(flags3, option(EXTENDED_HEADERS), setContexts, go))).toBe(true);
    expect(result).toEqual({
      exportName: "the real name",
      description: "a disk",
      size: 4096n,
      flags: wire.HAS_FLAGS | wire.SEND_FLUSH,
      blockSize: { minimum: 512, preferred: 4096, maximum: 65536 },
      mode: "extended",
      contexts: [{ id: 77, name: "base:allocation" }],
    });
    expect(taken).toBeGreaterThan(0);
  });

  it("falls back to structured replies", () => {
    const { said, result } = open(
      {},
      wire.greeting(),
      optionReply(EXTENDED_HEADERS, UNSUP),
      optionReply(STRUCTURED_REPLY, ACK),
      allocation,
      started,
    );
    expect(said.equals(join(flags3, option(EXTENDED_HEADERS), option(STRUCTURED_REPLY), setContexts, go))).toBe(true);
    expect(result).toMatchObject({
      mode: "structured",
      contexts: [{ id: 77 }],
      exportName: "disk",
      blockSize: undefined,
      description: undefined,
    });
  });

  it("falls back to simple replies, which have no contexts", () => {
    const { said, result } = open(
      {},
      wire.greeting(),
      optionReply(EXTENDED_HEADERS, UNSUP),
      optionReply(STRUCTURED_REPLY, wire.POLICY),
      started,
    );
    expect(said.equals(join(flags3, option(EXTENDED_HEADERS), option(STRUCTURED_REPLY), go))).toBe(true);
    expect(result).toMatchObject({ mode: "simple", contexts: [] });
  });

  it("asks for no more than it is told to", () => {
    expect(open({ replies: "structured" }, wire.greeting(), optionReply(STRUCTURED_REPLY, ACK), allocation, started)).toMatchObject({
      said: join(flags3, option(STRUCTURED_REPLY), setContexts, go),
      result: { mode: "structured" },
    });
    expect(open({ replies: "simple" }, wire.greeting(), started)).toMatchObject({ said: join(flags3, go), result: { mode: "simple" } });
  });

  it("goes on without contexts where the server has none", () => {
    const { result } = open({}, wire.greeting(), optionReply(EXTENDED_HEADERS, ACK), optionReply(SET_META_CONTEXT, UNSUP), started);
    expect(result).toMatchObject({ mode: "extended", contexts: [] });
  });

  it("asks for contexts by name, and takes leave when one is not there", () => {
    const contexts = ["qemu:dirty-bitmap:b0"];
    const ask = option(SET_META_CONTEXT, queries("base:allocation", "qemu:dirty-bitmap:b0"));
    const both = join(wire.contextReply(SET_META_CONTEXT, 5, "qemu:dirty-bitmap:b0"), allocation);
    const found = open({ contexts, replies: "structured" }, wire.greeting(), optionReply(STRUCTURED_REPLY, ACK), both, started);
    expect(found.said.equals(join(flags3, option(STRUCTURED_REPLY), ask, go))).toBe(true);
    expect(found.result).toMatchObject({ contexts: [{ id: 5, name: "qemu:dirty-bitmap:b0" }, { id: 77 }] });

    const missing = open({ contexts, replies: "structured" }, wire.greeting(), optionReply(STRUCTURED_REPLY, ACK), allocation);
    expect(missing.error).toEqual(failure("ENOTSUP", 'does not offer the context qemu:dirty-bitmap:b0 for export "disk"'));
    expect(missing.said.equals(join(flags3, option(STRUCTURED_REPLY), ask, option(wire.ABORT)))).toBe(true);

    const refused = open(
      { contexts, replies: "structured" },
      wire.greeting(),
      optionReply(STRUCTURED_REPLY, ACK),
      optionReply(SET_META_CONTEXT, wire.UNKNOWN, "who?"),
    );
    expect(refused.error).toEqual(failure("ENOENT", "it has no such export (it says: who?)"));
    expect(open({ contexts }, wire.greeting(0), started).error).toEqual(failure("ENOTSUP", "too old to offer the context"));
    expect(open({ contexts, replies: "simple" }, wire.greeting()).error).toEqual(failure("ENOTSUP", "no structured replies"));
  });

  it("uses EXPORT_NAME where the server does not know GO", () => {
    const { said, result } = open({ replies: "simple" }, wire.greeting(), optionReply(GO, UNSUP), join(u64(1000n), u16(wire.HAS_FLAGS)));
    expect(said.equals(join(flags3, go, option(wire.EXPORT_NAME, "disk")))).toBe(true);
    expect(result).toMatchObject({ size: 1000n, mode: "simple", exportName: "disk" });
  });

  it("does not use EXPORT_NAME with extended headers, which forbid it", () => {
    const { error } = open({}, wire.greeting(), optionReply(EXTENDED_HEADERS, ACK), allocation, optionReply(GO, UNSUP));
    expect(error).toEqual(failure("ENOTSUP", "does not know how to"));
  });

  it("uses EXPORT_NAME alone with a server that is not fixed newstyle, and takes the zeroes that come with it", () => {
    const old = open({}, wire.greeting(0), join(u64(1000n), u16(wire.HAS_FLAGS), Buffer.alloc(124)));
    expect(old.said.equals(join(u32(0), option(wire.EXPORT_NAME, "disk")))).toBe(true);
    expect(old.result).toMatchObject({ size: 1000n, mode: "simple" });
    expect(old.taken).toBe(18 + 10 + 124);
    expect(open({}, wire.greeting(wire.NO_ZEROES), join(u64(1000n), u16(wire.HAS_FLAGS))).said.subarray(0, 4)).toEqual(u32(2));
  });

  it("takes nothing of what comes after the last byte of the negotiation", () => {
    const all = join(wire.greeting(), started);
    expect(open({ replies: "simple" }, all, Buffer.from("more")).taken).toBe(all.length);
  });

  it("shows the server's words when it refuses, cleaned of control characters, and takes leave", () => {
    const { error, said } = open({ replies: "simple" }, wire.greeting(), optionReply(GO, wire.UNKNOWN, "no \x1b[31m\ndisk\u202e here"));
    expect(error).toEqual(failure("ENOENT", 'the server refuses to use export "disk": it has no such export (it says: no [31m disk here)'));
    expect(said.equals(join(flags3, go, option(wire.ABORT)))).toBe(true);
  });

  it.each([
    [wire.POLICY, "EACCES", "policy"],
    [wire.ERR(3), "EINVAL", "invalid"],
    [wire.ERR(4), "ENOTSUP", "platform"],
    [wire.TLS_REQD, "ENOTSUP", "requires TLS, and TLS is not there yet"],
    [wire.SHUTDOWN, "ESHUTDOWN", "shutting down"],
    [wire.ERR(8), "EINVAL", "block sizes"],
    [wire.ERR(9), "EOVERFLOW", "too big"],
    [wire.ERR(10), "ENOTSUP", "extended headers"],
    [wire.ERR(1000), "EIO", "error 0x800003e8"],
  ])("tells what error 0x%s of GO means", (type, code, text) => {
    expect(open({ replies: "simple" }, wire.greeting(), optionReply(GO, type)).error).toEqual(failure(code, text));
  });

  it.each([wire.TLS_REQD, wire.SHUTDOWN])("leaves at the first option that is answered with 0x%s", (type) => {
    const { said, error } = open({}, wire.greeting(), optionReply(EXTENDED_HEADERS, type));
    expect(said.equals(join(flags3, option(EXTENDED_HEADERS), option(wire.ABORT)))).toBe(true);
    expect(error).toBeDefined();
  });

  it("keeps only the transmission flags that mean something", () => {
    const flags = wire.HAS_FLAGS | wire.SEND_DF | wire.SEND_FAST_ZERO | wire.BLOCK_STATUS_PAYLOAD;
    const go = join(wire.exportInfo(0n, flags), optionReply(GO, ACK));
    expect(open({ replies: "simple" }, wire.greeting(), go).result).toMatchObject({ flags: wire.HAS_FLAGS });
    expect(open({}, wire.greeting(), optionReply(EXTENDED_HEADERS, ACK), allocation, go).result).toMatchObject({
      flags: wire.HAS_FLAGS | wire.SEND_DF | wire.BLOCK_STATUS_PAYLOAD,
    });
  });

  it("takes sizes up to 2^63-1", () => {
    const size = (bytes: bigint): Replay =>
      open({ replies: "simple" }, wire.greeting(), wire.exportInfo(bytes, wire.HAS_FLAGS), optionReply(GO, ACK));
    expect(size(2n ** 63n - 1n).result).toMatchObject({ size: 2n ** 63n - 1n });
    expect(size(2n ** 63n).error).toEqual(failure("EOVERFLOW", "no disk is larger than 2^63-1"));
  });

  it("rounds the maximum block size down to whole blocks", () => {
    const sizes = (...list: [number, number, number]): Replay =>
      open({ replies: "simple" }, wire.greeting(), wire.blockSizeInfo(...list), started);
    expect(sizes(512, 512, 1000).result).toMatchObject({ blockSize: { minimum: 512, preferred: 512, maximum: 512 } });
    expect(sizes(512, 512, 0xffffffff).result).toMatchObject({ blockSize: { maximum: 0xffffffff } });
  });

  it.each<[string, readonly Buffer[], string]>([
    ["another greeting", [Buffer.from("SSH-2.0-OpenSSH")], 'this is no NBD server: its greeting begins with "SSH-2.0-"'],
    ["the oldstyle negotiation", [join("NBDMAGIC", u64(0x00420281861253n), Buffer.alloc(136))], "oldstyle negotiation"],
    ["another magic after NBDMAGIC", [join("NBDMAGIC", "IHAVEOPS")], "NBDMAGIC followed by"],
    ["no option reply", [wire.greeting(), Buffer.alloc(20)], "no option reply, but 00000000"],
    ["a reply to another option", [wire.greeting(), optionReply(LIST, ACK)], "a reply to option 3, where option 7 was sent"],
    ["a reply of another type", [wire.greeting(), optionReply(GO, wire.SERVER, "disk")], "a reply of type 2"],
    [
      "a reply that claims 4 GiB",
      [wire.greeting(), join(optionReply(GO, INFO).subarray(0, 16), u32(0xffffffff))],
      "an option reply of 4294967295 bytes",
    ],
    ["an acknowledgement with a payload", [wire.greeting(), optionReply(GO, ACK, "yes")], "acknowledgement"],
    ["an acknowledgement without the size", [wire.greeting(), optionReply(GO, ACK)], "without telling its size"],
    ["information of one byte", [wire.greeting(), optionReply(GO, INFO, "x"), started], "information of 1 bytes"],
    [
      "a size in too few bytes",
      [wire.greeting(), optionReply(GO, INFO, join(u16(0), u64(0n))), started],
      "in 10 bytes where there must be 12",
    ],
    ["block sizes in too many bytes", [wire.greeting(), optionReply(GO, INFO, join(u16(3), Buffer.alloc(16))), started], "in 18 bytes"],
    ["a minimum block size that is no power of two", [wire.greeting(), wire.blockSizeInfo(513, 4096, 65536), started], "minimum must be"],
    ["a minimum block size of 0", [wire.greeting(), wire.blockSizeInfo(0, 4096, 65536), started], "minimum must be"],
    ["a minimum block size of 128 KiB", [wire.greeting(), wire.blockSizeInfo(131072, 131072, 131072), started], "minimum must be"],
    ["a preferred block size below 512", [wire.greeting(), wire.blockSizeInfo(1, 256, 65536), started], "preferred must be"],
    ["a maximum below the preferred", [wire.greeting(), wire.blockSizeInfo(1, 4096, 1024), started], "maximum must be"],
    ["flags that are not there", [wire.greeting(), wire.exportInfo(1n, 0), optionReply(GO, ACK)], "do not say that they are there"],
    ["a name with NUL", [wire.greeting(), optionReply(GO, INFO, join(u16(1), "a\0b")), started], "NUL"],
    ["a name that is too long", [wire.greeting(), optionReply(GO, INFO, join(u16(1), "x".repeat(4097))), started], "4097 bytes"],
  ])("ends with a clear error when the server sends %s", (_, server, text) => {
    expect(open({ replies: "simple" }, ...server).error).toEqual(failure("EPROTO", text));
  });

  it.each<[string, Buffer, string]>([
    [
      "a context whose name is no UTF-8",
      optionReply(SET_META_CONTEXT, wire.META_CONTEXT, Buffer.from("\0\0\0\x01x:\xff", "latin1")),
      "no UTF-8",
    ],
    ["a context without a name", optionReply(SET_META_CONTEXT, wire.META_CONTEXT, u32(1)), "described in 4 bytes"],
    [
      "two contexts with one number",
      join(
        wire.contextReply(SET_META_CONTEXT, 1, "x-a:b"),
        wire.contextReply(SET_META_CONTEXT, 1, "x-a:c"),
        optionReply(SET_META_CONTEXT, ACK),
      ),
      "the same context twice",
    ],
    [
      "a context twice",
      join(
        wire.contextReply(SET_META_CONTEXT, 1, "x-a:b"),
        wire.contextReply(SET_META_CONTEXT, 2, "x-a:b"),
        optionReply(SET_META_CONTEXT, ACK),
      ),
      "the same context twice",
    ],
    [
      "more contexts than anyone asked for",
      join(
        ...Array.from({ length: 65 }, (_, id) => wire.contextReply(SET_META_CONTEXT, id, `x:${id}`)),
        optionReply(SET_META_CONTEXT, ACK),
      ),
      "65 contexts",
    ],
  ])("ends with a clear error when the server sends %s", (_, server, text) => {
    const ends = open(
      { replies: "structured" },
      wire.greeting(),
      optionReply(STRUCTURED_REPLY, ACK),
      server,
      optionReply(SET_META_CONTEXT, ACK),
    );
    expect(ends.error).toEqual(failure("EPROTO", text));
  });

  it("does not let replies that never end fill the memory", () => {
    const endless = (payload: Buffer): Replay => {
      const runner = new ScriptRunner(negotiateExport({ exportName: "", replies: "simple", contexts: [] }));
      runner.start();
      let taken = runner.receive(wire.greeting());
      const reply = optionReply(GO, INFO, payload);
      try {
        for (;;) taken += runner.receive(reply);
      } catch (error) {
        return { said: Buffer.alloc(0), error, taken };
      }
    };
    const many = endless(u16(77));
    expect(many.error).toEqual(failure("EPROTO", "do not end"));
    expect(many.taken).toBeLessThan(2_000_000);
    const large = endless(Buffer.alloc(65_536, 1));
    expect(large.error).toEqual(failure("EPROTO", "do not end"));
    expect(large.taken).toBeLessThan(20_000_000);
  });

  it("refuses export names that the protocol has no room for", () => {
    expect(open({ replies: "simple", exportName: "x".repeat(4097) }, wire.greeting()).error).toEqual(failure("EINVAL", "4097 bytes"));
    expect(open({ exportName: "a\0" }, wire.greeting(0)).error).toEqual(failure("EINVAL", "without NUL"));
  });
});

describe("listing exports", () => {
  const list = (...server: readonly Buffer[]): Replay => play(() => negotiateList(), wire.greeting(), ...server);

  it("gives names and descriptions, then takes leave", () => {
    const { said, result } = list(
      wire.serverReply("disk", "the first"),
      wire.serverReply(""),
      wire.serverReply("ß/2"),
      optionReply(LIST, ACK),
    );
    expect(said.equals(join(flags3, option(LIST), option(wire.ABORT)))).toBe(true);
    expect(result).toEqual([{ name: "disk", description: "the first" }, { name: "" }, { name: "ß/2" }]);
  });

  it("says why there is no list", () => {
    expect(list(optionReply(LIST, wire.POLICY, "mind your own business")).error).toEqual(
      failure("EACCES", "the server refuses to list its exports: its policy forbids it (it says: mind your own business)"),
    );
    expect(play(() => negotiateList(), wire.greeting(0)).error).toEqual(failure("ENOTSUP", "too old to list its exports"));
  });

  it("refuses entries that contradict themselves", () => {
    expect(list(optionReply(LIST, wire.SERVER, join(u32(5), "disk")), optionReply(LIST, ACK)).error).toEqual(
      failure("EPROTO", "list entry"),
    );
    expect(list(optionReply(LIST, wire.SERVER, "abc"), optionReply(LIST, ACK)).error).toEqual(failure("EPROTO", "list entry of 3 bytes"));
  });
});

describe("listing contexts", () => {
  const list = (queries: readonly string[], ...server: readonly Buffer[]): Replay =>
    play(() => negotiateContextList("disk", queries), ...server);

  it("gives their names, then takes leave", () => {
    const { said, result } = list(
      ["qemu:"],
      wire.greeting(),
      optionReply(STRUCTURED_REPLY, ACK),
      wire.contextReply(LIST_META_CONTEXT, 0, "qemu:allocation-depth"),
      wire.contextReply(LIST_META_CONTEXT, 0, "qemu:dirty-bitmap:b0"),
      optionReply(LIST_META_CONTEXT, ACK),
    );
    expect(said.equals(join(flags3, option(STRUCTURED_REPLY), option(LIST_META_CONTEXT, queries("qemu:")), option(wire.ABORT)))).toBe(true);
    expect(result).toEqual(["qemu:allocation-depth", "qemu:dirty-bitmap:b0"]);
  });

  it("gives none where the server has no block status", () => {
    expect(list([], wire.greeting(0)).result).toEqual([]);
    expect(list([], wire.greeting(), optionReply(STRUCTURED_REPLY, UNSUP)).result).toEqual([]);
    expect(list([], wire.greeting(), optionReply(STRUCTURED_REPLY, ACK), optionReply(LIST_META_CONTEXT, UNSUP)).result).toEqual([]);
  });

  it("says why there is no list", () => {
    const { error } = list([], wire.greeting(), optionReply(STRUCTURED_REPLY, ACK), optionReply(LIST_META_CONTEXT, wire.UNKNOWN));
    expect(error).toEqual(failure("ENOENT", 'the server refuses to list the contexts of export "disk": it has no such export'));
  });
});
