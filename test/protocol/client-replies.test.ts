import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReplyReceiver } from "../../src/protocol/client-replies.ts";
import { PendingRequest } from "../../src/protocol/client-requests.ts";
import type { ReplyMode } from "../../src/protocol/replies.ts";
import * as wire from "../client/wire.ts";

const { BLOCK_STATUS, DATA, DONE, ERROR, ERROR_OFFSET, HOLE, MORE, NONE, READ, STATUS, STATUS_EXT, WRITE } = wire;
const { chunk, dataPayload, errorPayload, extendedChunk, extendedStatusPayload, holePayload, join, simpleReply, statusPayload, u32, u64 } =
  wire;

interface Wanted {
  readonly command: number;
  readonly offset?: bigint;
  readonly length?: number | bigint;
  readonly flags?: number;
}

/** Requests under way, the first with cookie 1, and what becomes of them. */
class Bench {
  readonly requests: PendingRequest[];
  readonly settled: PendingRequest[] = [];
  readonly receiver: ReplyReceiver;

  constructor(mode: ReplyMode, wanted: readonly Wanted[]) {
    const nothing = (): void => undefined;
    this.requests = wanted.map(({ command, offset = 0n, length = 8, flags = 0 }, index) => {
      const target = command === READ ? Buffer.alloc(Number(length), ".") : undefined;
      const request = new PendingRequest(
        command,
        flags,
        offset,
        length,
        target,
        command === BLOCK_STATUS ? 7 : undefined,
        nothing,
        nothing,
      );
      request.cookieLow = index + 1;
      return request;
    });
    this.receiver = new ReplyReceiver(mode, {
      find: (high, low) =>
        high === 0 ? this.requests.find((request) => request.cookieLow === low && !this.settled.includes(request)) : undefined,
      hasContext: (id) => id === 7 || id === 8,
      settle: (request) => this.settled.push(request),
    });
  }

  /** What became of each request: the bytes read, the extents, the error's text, or that it is under way. */
  outcome(): unknown[] {
    return this.requests.map((request) => {
      if (!this.settled.includes(request)) return "under way";
      return request.error?.message ?? request.extents ?? request.target?.toString() ?? "done";
    });
  }
}

/** Plays replies whole and in small pieces, which must make no difference; gives what became of the requests. */
function play(mode: ReplyMode, wanted: readonly Wanted[], ...replies: readonly Buffer[]): unknown[] {
  const bytes = join(...replies);
  const one = (size: number): { bench: Bench; error: unknown } => {
    const bench = new Bench(mode, wanted);
    try {
      for (const piece of wire.cut(bytes, size)) bench.receiver.receive(piece);
    } catch (error) {
      return { bench, error };
    }
    return { bench, error: undefined };
  };
  const whole = one(bytes.length);
  for (const size of [1, 2, 3, 5, 16, 33]) {
    const pieces = one(size);
    expect(String(pieces.error)).toBe(String(whole.error));
    expect(pieces.bench.outcome()).toEqual(whole.bench.outcome());
    expect(pieces.bench.settled.map(({ cookieLow }) => cookieLow)).toEqual(whole.bench.settled.map(({ cookieLow }) => cookieLow));
  }
  if (whole.error !== undefined) throw whole.error;
  return whole.bench.outcome();
}

const violation = (text: string): unknown => expect.objectContaining({ code: "EPROTO", message: expect.stringContaining(text) });

describe("simple replies", () => {
  it("fill the target of a read, in any order", () => {
    const wanted = [{ command: READ }, { command: WRITE }, { command: READ, length: 3 }];
    const replies = [simpleReply(3n, 0, Buffer.from("abc")), simpleReply(2n), simpleReply(1n, 0, Buffer.from("12345678"))];
    expect(play("simple", wanted, ...replies)).toEqual(["12345678", "done", "abc"]);
  });

  it("that are errors have no payload", () => {
    const wanted = [{ command: READ, offset: 4096n }, { command: WRITE }, { command: wire.FLUSH }, { command: wire.TRIM }];
    expect(play("simple", wanted, simpleReply(1n, 5), simpleReply(2n, 28), simpleReply(3n, 108), simpleReply(4n, 12345))).toEqual([
      "cannot read 8 bytes at 4096: the server answers EIO (input/output error)",
      "cannot write 8 bytes at 0: the server answers ENOSPC (no space left on the disk)",
      "cannot flush: the server answers ESHUTDOWN (the server is shutting down)",
      "cannot trim 8 bytes at 0: the server answers EINVAL (error number 12345)",
    ]);
  });

  it("leave a request under way until the last byte", () => {
    expect(play("simple", [{ command: READ }], simpleReply(1n, 0, Buffer.from("1234567")))).toEqual(["under way"]);
  });

  it("may answer anything but a read where structured replies were agreed on", () => {
    expect(play("structured", [{ command: WRITE }, { command: BLOCK_STATUS }], simpleReply(1n), simpleReply(2n, 22))).toEqual([
      "done",
      "cannot list the extents of 8 bytes at 0: the server answers EINVAL (invalid request)",
    ]);
  });

  it.each<[string, ReplyMode, number, Buffer]>([
    ["a read, with structured replies", "structured", READ, simpleReply(1n, 0, Buffer.alloc(8))],
    ["a failed read, with structured replies", "structured", READ, simpleReply(1n, 5)],
    ["a block status", "structured", BLOCK_STATUS, simpleReply(1n)],
  ])("must not answer %s", (_, mode, command, reply) => {
    expect(() => play(mode, [{ command }], reply)).toThrow(violation("a simple reply to the request to"));
  });

  it("must not come amid the chunks of a reply", () => {
    const replies = [chunk(1n, MORE, ERROR, errorPayload(5)), simpleReply(1n)];
    expect(() => play("structured", [{ command: WRITE }], ...replies)).toThrow(violation("a simple reply amid the chunks"));
  });
});

describe("chunks of data and holes", () => {
  const read = [{ command: READ, offset: 100n }];

  it("fill the target", () => {
    expect(play("structured", read, chunk(1n, DONE, DATA, dataPayload(100n, "12345678")))).toEqual(["12345678"]);
  });

  it("come in any order, amid those of other replies", () => {
    const wanted = [...read, { command: READ, offset: 0n, length: 2 }];
    const replies = [
      chunk(1n, MORE, DATA, dataPayload(105n, "678")),
      chunk(2n, MORE, HOLE, holePayload(1n, 1)),
      chunk(1n, MORE, DATA, dataPayload(100n, "12")),
      chunk(2n, DONE, DATA, dataPayload(0n, "x")),
      chunk(1n, MORE, HOLE, holePayload(102n, 3)),
      chunk(1n, DONE, NONE),
    ];
    expect(play("structured", wanted, ...replies)).toEqual(["12\0\0\x00678", "x\0"]);
  });

  it("may come after an error, which stands", () => {
    const replies = [
      chunk(1n, MORE, ERROR_OFFSET, errorPayload(5, "sector is gone", 104n)),
      chunk(1n, MORE, ERROR, errorPayload(12, "and more")),
      chunk(1n, DONE, DATA, dataPayload(100n, "12")),
    ];
    const [text] = play("structured", read, ...replies);
    expect(text).toBe("cannot read 8 bytes at 100: the server answers EIO: sector is gone (at offset 104)");
  });

  it.each<[string, readonly Buffer[], string]>([
    ["too little data", [chunk(1n, DONE, DATA, dataPayload(100n, "1234567"))], "ends and 1 of the bytes have not come"],
    ["no data", [chunk(1n, DONE, NONE)], "ends and 8 of the bytes have not come"],
    [
      "a gap",
      [chunk(1n, MORE, DATA, dataPayload(100n, "123")), chunk(1n, DONE, DATA, dataPayload(104n, "5678"))],
      "ends and 1 of the bytes",
    ],
    [
      "bytes twice",
      [chunk(1n, MORE, DATA, dataPayload(100n, "12345678")), chunk(1n, DONE, DATA, dataPayload(107n, "8"))],
      "some of which were there",
    ],
    [
      "a hole over data",
      [chunk(1n, MORE, DATA, dataPayload(100n, "1234")), chunk(1n, DONE, HOLE, holePayload(103n, 5))],
      "some of which were there",
    ],
    [
      "all of it twice",
      [chunk(1n, MORE, DATA, dataPayload(100n, "12345678")), chunk(1n, DONE, HOLE, holePayload(100n, 8))],
      "some of which were there",
    ],
    ["data after the end", [chunk(1n, DONE, DATA, dataPayload(101n, "12345678"))], "chunk of 8 bytes at 101, outside what was asked for"],
    ["data before the start", [chunk(1n, DONE, DATA, dataPayload(99n, "1"))], "chunk of 1 bytes at 99, outside"],
    ["data far away", [chunk(1n, DONE, DATA, dataPayload(2n ** 64n - 1n, "1"))], "outside what was asked for"],
    ["a hole after the end", [chunk(1n, DONE, HOLE, holePayload(100n, 0xffffffff))], "outside what was asked for"],
    ["a hole of nothing", [chunk(1n, DONE, HOLE, holePayload(100n, 0))], "chunk of 0 bytes"],
    ["data of nothing", [chunk(1n, DONE, DATA, dataPayload(100n, ""))], "a data chunk of 8 bytes"],
    ["more data than was asked for", [chunk(1n, DONE, DATA, dataPayload(100n, "123456789"))], "a data chunk of 17 bytes"],
    ["a chunk of 4 GiB", [chunk(1n, DONE, DATA).fill(255, 16)], "a data chunk of 4294967295 bytes"],
    ["a hole in too few bytes", [chunk(1n, DONE, HOLE, u64(100n))], "a hole chunk of 8 bytes"],
    ["a NONE that is not the last", [chunk(1n, MORE, NONE)], "type NONE with 0 bytes that is not the last"],
    ["a NONE with a payload", [chunk(1n, DONE, NONE, u32(0))], "type NONE with 4 bytes"],
    ["block status", [chunk(1n, DONE, STATUS, statusPayload(7, [[8, 0]]))], "a chunk of type 5"],
    ["a chunk of an unknown type", [chunk(1n, DONE, 1000)], "a chunk of type 1000"],
  ])("are refused as a whole: %s", (_, replies, text) => {
    expect(() => play("structured", read, ...replies)).toThrow(violation(text));
  });

  it("are exact at the end of the largest disk", () => {
    const offset = 2n ** 63n - 9n;
    expect(play("structured", [{ command: READ, offset }], chunk(1n, DONE, DATA, dataPayload(offset, "12345678")))).toEqual(["12345678"]);
    expect(() => play("structured", [{ command: READ, offset }], chunk(1n, DONE, DATA, dataPayload(offset + 1n, "1234567")))).toThrow(
      violation("ends and 1 of the bytes"),
    );
  });

  it("put each byte in its place, wherever they are cut", () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 63 }), { maxLength: 10 });
    const size = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(cuts, fc.array(fc.boolean()), fc.integer(), size, (edges, holes, order, pieceSize) => {
        const bytes = Buffer.from(Array.from({ length: 64 }, (_, index) => index + 1));
        const starts = [0, ...edges.sort((a, b) => a - b)];
        const chunks = starts.map((start, index) => {
          const end = starts[index + 1] ?? 64;
          if (holes[index] !== true) return chunk(1n, MORE, DATA, dataPayload(BigInt(start), bytes.subarray(start, end)));
          bytes.fill(0, start, end);
          return chunk(1n, MORE, HOLE, holePayload(BigInt(start), end - start));
        });
        const turn = Math.abs(order) % chunks.length;
        const bench = new Bench("structured", [{ command: READ, length: 64 }]);
        const input = join(...chunks.slice(turn), ...chunks.slice(0, turn), chunk(1n, DONE, NONE));
        for (const piece of wire.cut(input, pieceSize)) bench.receiver.receive(piece);
        expect(bench.settled).toHaveLength(1);
        expect(bench.settled[0]?.error).toBeUndefined();
        expect(bench.requests[0]?.target).toEqual(bytes);
      }),
    );
  });
});

describe("error chunks", () => {
  it("carry the number, the text and the offset", () => {
    const bench = new Bench("structured", [{ command: wire.ZERO, offset: 4096n, length: 2n ** 40n }]);
    bench.receiver.receive(chunk(1n, DONE, ERROR_OFFSET, errorPayload(28, "volume is full", 8192n)));
    expect(bench.settled[0]?.error).toMatchObject({
      code: "ENOSPC",
      offset: 8192n,
      message: "cannot zero 1099511627776 bytes at 4096: the server answers ENOSPC: volume is full (at offset 8192)",
    });
  });

  it.each([
    [1, "EPERM"],
    [5, "EIO"],
    [12, "ENOMEM"],
    [22, "EINVAL"],
    [28, "ENOSPC"],
    [75, "EOVERFLOW"],
    [95, "ENOTSUP"],
    [108, "ESHUTDOWN"],
    [4711, "EINVAL"],
  ])("with number %i become %s", (number, code) => {
    const bench = new Bench("structured", [{ command: WRITE }]);
    bench.receiver.receive(chunk(1n, DONE, ERROR, errorPayload(number)));
    expect(bench.settled[0]?.error).toMatchObject({ code });
  });

  it("of a type yet unknown are errors all the same", () => {
    const [text] = play("structured", [{ command: WRITE }], chunk(1n, DONE, 0xffff, join(errorPayload(5, "new"), "and something else")));
    expect(text).toContain("EIO: new");
  });

  it("have texts that are safe to print", () => {
    const [text] = play("structured", [{ command: WRITE }], chunk(1n, DONE, ERROR, errorPayload(5, "\x1b[2J\r\nboo \xff")));
    expect(text).toBe("cannot write 8 bytes at 0: the server answers EIO: [2J boo ÿ");
  });

  it.each<[string, Buffer, string]>([
    ["without an error", chunk(1n, DONE, ERROR, errorPayload(0, "fine")), "an error chunk without an error"],
    ["that are too short", chunk(1n, DONE, ERROR, u32(5)), "an error chunk of 4 bytes"],
    ["that are too long", chunk(1n, DONE, ERROR, Buffer.alloc(10_000, 1)), "an error chunk of 10000 bytes"],
    ["whose text is longer than they are", chunk(1n, DONE, ERROR, errorPayload(5, "xyz").subarray(0, 8)), "with a text of 3"],
    ["whose text leaves no room for the offset", chunk(1n, DONE, ERROR_OFFSET, errorPayload(5, "12345678")), "with a text of 8"],
    ["with an offset that was not asked for", chunk(1n, DONE, ERROR_OFFSET, errorPayload(5, "", 8n)), "error at offset 8, outside"],
  ])("%s are refused", (_, reply, text) => {
    expect(() => play("structured", [{ command: WRITE }], reply)).toThrow(violation(text));
  });
});

describe("block status", () => {
  const ask = { command: BLOCK_STATUS, offset: 1000n, length: 100n };

  it("becomes extents of the context that was asked about", () => {
    const replies = [
      chunk(1n, MORE, STATUS, statusPayload(8, [[100, 9]])),
      chunk(
        1n,
        DONE,
        STATUS,
        statusPayload(7, [
          [40, 0],
          [60, 3],
        ]),
      ),
    ];
    expect(play("structured", [ask], ...replies)).toEqual([
      [
        { offset: 1000n, length: 40n, status: 0n },
        { offset: 1040n, length: 60n, status: 3n },
      ],
    ]);
  });

  it("may end early, and may go on after the request in its last extent", () => {
    expect(play("structured", [ask], chunk(1n, DONE, STATUS, statusPayload(7, [[10, 1]])))).toEqual([
      [{ offset: 1000n, length: 10n, status: 1n }],
    ]);
    expect(play("structured", [ask], chunk(1n, DONE, STATUS, statusPayload(7, [[0xffffffff, 1]])))).toEqual([
      [{ offset: 1000n, length: 100n, status: 1n }],
    ]);
  });

  it("has 64 bits with extended headers", () => {
    const length = 2n ** 62n;
    const payload = extendedStatusPayload(7, [
      [2n ** 61n, 2n ** 63n + 1n],
      [2n ** 61n, 0n],
    ]);
    expect(play("extended", [{ ...ask, length }], extendedChunk(1n, 1000n, DONE, STATUS_EXT, payload))).toEqual([
      [
        { offset: 1000n, length: 2n ** 61n, status: 2n ** 63n + 1n },
        { offset: 1000n + 2n ** 61n, length: 2n ** 61n, status: 0n },
      ],
    ]);
  });

  const one = { ...ask, flags: wire.REQ_ONE };
  it.each<[string, ReplyMode, Wanted, readonly Buffer[], string]>([
    ["an extent of no length", "structured", ask, [chunk(1n, DONE, STATUS, statusPayload(7, [[0, 0]]))], "an extent of no length"],
    [
      "extents after the end",
      "structured",
      ask,
      [
        chunk(
          1n,
          DONE,
          STATUS,
          statusPayload(7, [
            [100, 0],
            [1, 0],
          ]),
        ),
      ],
      "goes on after the end",
    ],
    [
      "a context that was not negotiated",
      "structured",
      ask,
      [chunk(1n, DONE, STATUS, statusPayload(9, [[1, 0]]))],
      "context 9, which was not negotiated",
    ],
    [
      "a context twice",
      "structured",
      ask,
      [chunk(1n, MORE, STATUS, statusPayload(7, [[1, 0]])), chunk(1n, DONE, STATUS, statusPayload(7, [[1, 0]]))],
      "there before",
    ],
    ["only another context", "structured", ask, [chunk(1n, DONE, STATUS, statusPayload(8, [[1, 0]]))], "without a word of the context"],
    ["no context", "structured", ask, [chunk(1n, DONE, NONE)], "without a word of the context"],
    ["no extents", "structured", ask, [chunk(1n, DONE, STATUS, u32(7))], "no list of 1 to 1048576 descriptors"],
    ["half an extent", "structured", ask, [chunk(1n, DONE, STATUS, join(u32(7), u32(1)))], "no list of 1 to 1048576"],
    ["4 GiB of extents", "structured", ask, [chunk(1n, DONE, STATUS).fill(0xf4, 16)], "no list of 1 to 1048576"],
    [
      "several extents where one was asked for",
      "structured",
      one,
      [
        chunk(
          1n,
          DONE,
          STATUS,
          statusPayload(7, [
            [1, 0],
            [1, 1],
          ]),
        ),
      ],
      "several extents",
    ],
    [
      "one extent that is too long",
      "structured",
      one,
      [chunk(1n, DONE, STATUS, statusPayload(7, [[101, 0]]))],
      "longer than the request: 101",
    ],
    [
      "32-bit status with extended headers",
      "extended",
      ask,
      [extendedChunk(1n, 1000n, DONE, STATUS, statusPayload(7, [[1, 0]]))],
      "chunk of type 5",
    ],
    [
      "64-bit status without them",
      "structured",
      ask,
      [chunk(1n, DONE, STATUS_EXT, extendedStatusPayload(7, [[1n, 0n]]))],
      "chunk of type 6",
    ],
    [
      "a wrong count",
      "extended",
      ask,
      [extendedChunk(1n, 1000n, DONE, STATUS_EXT, join(u32(7), u32(2), u64(1n), u64(0n)))],
      "says 2 descriptors and has 1",
    ],
    ["data", "structured", ask, [chunk(1n, DONE, DATA, dataPayload(1000n, "x"))], "a chunk of type 1"],
  ])("is refused with %s", (_, mode, wanted, replies, text) => {
    expect(() => play(mode, [wanted], ...replies)).toThrow(violation(text));
  });

  it("is refused at its header when it claims too much, before memory is taken for it", () => {
    const bench = new Bench("structured", [ask]);
    const header = chunk(1n, DONE, STATUS);
    header.writeUInt32BE(4 + 8 * (2 ** 20 + 1), 16);
    expect(() => bench.receiver.receive(header)).toThrow(violation("no list of 1 to 1048576"));
  });
});

describe("extended replies", () => {
  it("carry data, holes, errors and nothing", () => {
    const wanted = [{ command: READ, offset: 100n }, { command: WRITE, offset: 2n ** 62n }, { command: wire.FLUSH }];
    const replies = [
      extendedChunk(1n, 100n, MORE, DATA, dataPayload(100n, "1234")),
      extendedChunk(2n, 2n ** 62n, DONE, ERROR, errorPayload(5, "no")),
      extendedChunk(1n, 100n, DONE, HOLE, holePayload(104n, 4)),
      extendedChunk(3n, 0n, DONE, NONE),
    ];
    expect(play("extended", wanted, ...replies)).toEqual([
      "1234\0\0\0\0",
      "cannot write 8 bytes at 4611686018427387904: the server answers EIO: no",
      "done",
    ]);
  });

  it("must repeat the offset of the request", () => {
    expect(() => play("extended", [{ command: WRITE, offset: 100n }], extendedChunk(1n, 101n, DONE, NONE))).toThrow(
      violation("a reply with offset 101 to the request to write 8 bytes at 100"),
    );
    expect(() => play("extended", [{ command: WRITE, offset: 0n }], extendedChunk(1n, 2n ** 63n, DONE, NONE))).toThrow(
      violation("a reply with offset"),
    );
  });

  it("must not claim more than 32 bits of payload", () => {
    const reply = extendedChunk(1n, 0n, DONE, DATA);
    reply.writeBigUInt64BE(2n ** 32n, 24);
    expect(() => play("extended", [{ command: READ }], reply)).toThrow(violation("a chunk of 4294967296 bytes"));
  });
});

describe("what is no reply at all", () => {
  it.each<[ReplyMode, Buffer]>([
    ["simple", chunk(1n, DONE, NONE)],
    ["structured", extendedChunk(1n, 0n, DONE, NONE)],
    ["extended", join(simpleReply(1n), Buffer.alloc(16))],
    ["extended", join(chunk(1n, DONE, NONE), Buffer.alloc(12))],
    ["structured", Buffer.from("HTTP/1.1 400 Bad Request")],
  ])("is refused where %s replies were agreed on", (mode, bytes) => {
    expect(() => play(mode, [{ command: WRITE }], bytes)).toThrow(violation(`where a reply should begin (${mode} replies were agreed on)`));
  });

  it.each([2n, 2n ** 32n + 1n, 0n, 2n ** 64n - 1n])("is refused with cookie %d, which nobody has", (cookie) => {
    expect(() => play("structured", [{ command: WRITE }], simpleReply(cookie))).toThrow(violation("which no request under way has"));
    expect(() => play("structured", [{ command: WRITE }], chunk(cookie, DONE, NONE))).toThrow(violation("which no request under way has"));
  });

  it("is refused when a request is answered twice", () => {
    expect(() => play("structured", [{ command: WRITE }], simpleReply(1n), simpleReply(1n))).toThrow(
      violation("which no request under way has"),
    );
    expect(() =>
      play("structured", [{ command: READ }], chunk(1n, DONE, DATA, dataPayload(0n, "12345678")), chunk(1n, DONE, NONE)),
    ).toThrow(violation("which no request under way has"));
  });
});

describe("receiving into the target itself", () => {
  it("tells where the next bytes belong, and takes them as received", () => {
    const bench = new Bench("structured", [{ command: READ, length: 64 }]);
    const reply = chunk(1n, DONE, DATA, dataPayload(0n, Buffer.alloc(64, "x")));
    expect(bench.receiver.space(1)).toBeUndefined();
    bench.receiver.receive(reply.subarray(0, 40));
    expect(bench.receiver.space(53)).toBeUndefined();
    const space = bench.receiver.space(52) as Uint8Array;
    expect(space.length).toBe(52);
    reply.copy(space, 0, 40, 60);
    bench.receiver.received(20);
    reply.copy(bench.receiver.space(32) as Uint8Array, 0, 60);
    expect(bench.settled).toHaveLength(0);
    bench.receiver.received(32);
    expect(bench.outcome()).toEqual(["x".repeat(64)]);
    expect(bench.receiver.space(0)).toBeUndefined();
  });
});
