// Receiving requests as a state machine: bytes in, calls out. A payload is lent where it lies whole, else gathered in a buffer of its own.

import { describe, expect, it } from "vitest";
import { FramingError, type PayloadPlan, type RequestHandler, type RequestHeader, RequestReceiver } from "../../src/protocol/requests.ts";
import * as wire from "../client/wire.ts";
import { noise, random } from "../fixtures/bytes.ts";
import { extendedRequest, request } from "../fixtures/client-bytes.ts";
import { bytewise, randomPieces } from "../fixtures/pieces.ts";

const { WRITE, READ, FLUSH } = wire;

/** A handler that writes down what it is told. */
class Log implements RequestHandler {
  readonly calls: string[] = [];
  readonly payloads: Buffer[] = [];
  plan: (header: RequestHeader) => PayloadPlan = () => "take";
  onRequest: () => void = () => undefined;
  /** Bytes that buffers have beyond their payloads. */
  #beyond: number;

  constructor(beyond = 0) {
    this.#beyond = beyond;
  }

  accept(header: RequestHeader): PayloadPlan {
    const plan = this.plan(header);
    this.calls.push(`${plan} ${header.payload}`);
    return plan;
  }
  request(header: RequestHeader, payload: Uint8Array | undefined, borrowed: boolean): void {
    this.calls.push(`${describeHeader(header)}${payload === undefined ? "" : borrowed ? " lent" : " gathered"}`);
    if (payload !== undefined) this.payloads.push(Buffer.from(payload));
    this.onRequest();
  }
  refused(header: RequestHeader): void {
    this.calls.push(`refused ${describeHeader(header)}`);
  }
  allocate({ payload }: RequestHeader): Uint8Array {
    this.calls.push(`allocate ${payload}`);
    return new Uint8Array(payload + this.#beyond).fill(0xee);
  }
  /** What happened, apart from how the payloads came. */
  get essence(): string[] {
    return this.calls.filter((call) => !call.startsWith("allocate")).map((call) => call.replace(/ lent$| gathered$/, " payload"));
  }
}

function describeHeader({ type, flags, cookieHigh, cookieLow, offset, length, exactLength, payload }: RequestHeader): string {
  const cookie = (BigInt(cookieHigh) << 32n) | BigInt(cookieLow);
  return `type=${type} flags=${flags} cookie=${cookie} offset=${offset} length=${length}${exactLength > 0n ? `=${exactLength}` : ""} payload=${payload}`;
}

/** Gives bytes in pieces, as a socket that reads to where it is asked to does. */
function feedAsSocket(receiver: RequestReceiver, pieces: readonly Buffer[]): void {
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const { wanted } = receiver;
      if (wanted === undefined) {
        receiver.consume(piece.subarray(at));
        break;
      }
      const length = Math.min(wanted.length, piece.length - at);
      wanted.set(piece.subarray(at, at + length));
      receiver.filled(length);
      at += length;
    }
  }
}

const stream = (extended: boolean): Buffer => {
  const make = extended ? extendedRequest : request;
  const flags = extended ? wire.PAYLOAD_LEN : 0;
  return Buffer.concat([
    make({ type: READ, cookie: 0xffffffffffffffffn, offset: 2n ** 64n - 1n, length: 4096n }),
    make({ type: WRITE, flags, cookie: 2n, offset: 7n, payload: noise(10) }),
    make({ type: WRITE, flags, cookie: 3n, payload: noise(0) }),
    make({ type: WRITE, flags, cookie: 4n, payload: noise(70_000, 2) }),
    make({ type: WRITE, flags, cookie: 5n, payload: noise(66_666, 3) }),
    make({ type: FLUSH, cookie: 6n }),
    make({ type: WRITE, flags, cookie: 7n, offset: 666n, payload: noise(5000) }),
    make({ type: 4711, flags: 0xffdf, cookie: 8n }),
    make({ type: WRITE, flags, cookie: 9n, payload: noise(1) }),
  ]);
};

describe.each([
  ["compact", false],
  ["extended", true],
])("%s headers", (_name, extended) => {
  /** Drops payloads of 5000 bytes. */
  const plan = ({ payload }: RequestHeader): PayloadPlan => (payload === 5000 ? "drop" : "take");

  function received(
    pieces: readonly Buffer[],
    feed = (receiver: RequestReceiver) => pieces.forEach((piece) => void receiver.consume(piece)),
  ): Log {
    const log = new Log();
    log.plan = plan;
    feed(new RequestReceiver(log, extended));
    return log;
  }

  const whole = received([stream(extended)]);

  it("tell all of a request", () => {
    const flags = extended ? 32 : 0;
    expect(whole.essence).toEqual([
      `type=0 flags=0 cookie=18446744073709551615 offset=18446744073709551615 length=4096${extended ? "=4096" : ""} payload=0`,
      "take 10",
      `type=1 flags=${flags} cookie=2 offset=7 length=10${extended ? "=10" : ""} payload=10 payload`,
      `type=1 flags=${flags} cookie=3 offset=0 length=0 payload=0`,
      "take 70000",
      `type=1 flags=${flags} cookie=4 offset=0 length=70000${extended ? "=70000" : ""} payload=70000 payload`,
      "take 66666",
      `type=1 flags=${flags} cookie=5 offset=0 length=66666${extended ? "=66666" : ""} payload=66666 payload`,
      "type=3 flags=0 cookie=6 offset=0 length=0 payload=0",
      "drop 5000",
      `refused type=1 flags=${flags} cookie=7 offset=666 length=5000${extended ? "=5000" : ""} payload=5000`,
      "type=4711 flags=65503 cookie=8 offset=0 length=0 payload=0",
      "take 1",
      `type=1 flags=${flags} cookie=9 offset=0 length=1${extended ? "=1" : ""} payload=1 payload`,
    ]);
  });

  it.each<[string, (bytes: Buffer) => Buffer[]]>([
    ["byte by byte", bytewise],
    ...[1, 2, 3, 4, 5].map((seed): [string, (bytes: Buffer) => Buffer[]] => [
      `in random pieces (${seed})`,
      (bytes) => randomPieces(bytes, seed),
    ]),
  ])("tell the same %s, handed over or read to where they are wanted", (_how, cut) => {
    const pieces = cut(stream(extended));
    for (const log of [received(pieces), received(pieces, (receiver) => feedAsSocket(receiver, pieces))]) {
      expect(log.essence).toEqual(whole.essence);
      expect(log.payloads.map((payload, index) => payload.equals(whole.payloads[index] as Buffer))).toEqual(log.payloads.map(() => true));
    }
  });

  it("stop between two requests when the handler says so, and go on without a loss", () => {
    const bytes = stream(extended);
    const next = random(7);
    const log = new Log();
    log.plan = plan;
    const receiver = new RequestReceiver(log, extended);
    log.onRequest = () => {
      if (next() % 2 === 0) receiver.pause();
    };
    let rest = bytes;
    while (rest.length > 0) {
      const taken = receiver.consume(rest.subarray(0, 1 + (next() % 30_000)));
      rest = rest.subarray(taken);
      receiver.resume();
    }
    expect(log.essence).toEqual(whole.essence);
  });

  it("take nothing of the next request while paused, but all of a payload that has begun", () => {
    const make = extended ? extendedRequest : request;
    const write = make({ type: WRITE, flags: extended ? wire.PAYLOAD_LEN : 0, payload: noise(100) });
    const log = new Log();
    const receiver = new RequestReceiver(log, extended);
    const half = write.length - 50;
    receiver.consume(write.subarray(0, half));
    receiver.pause();
    expect(receiver.consume(Buffer.concat([write.subarray(half), write]))).toBe(50);
    expect(receiver.midRequest).toBe(false);
    expect(receiver.consume(write)).toBe(0);
    receiver.resume();
    expect(receiver.consume(write)).toBe(write.length);
  });

  it("know whether a request has begun", () => {
    const make = extended ? extendedRequest : request;
    const write = make({ type: WRITE, flags: extended ? wire.PAYLOAD_LEN : 0, payload: noise(100) });
    const receiver = new RequestReceiver(new Log(), extended);
    const midRequest = bytewise(write).map((byte) => {
      receiver.consume(byte);
      return receiver.midRequest;
    });
    expect(midRequest).toEqual(midRequest.map((_, index) => index < write.length - 1));
  });

  it.each([4, 5, 27, 28, 32, 100])("have a magic: another is found out when %i bytes are there", (length) => {
    const bytes = Buffer.alloc(length);
    expect(() => new RequestReceiver(new Log(), extended).consume(bytes)).toThrow(FramingError);
    const receiver = new RequestReceiver(new Log(), extended);
    const pieces = bytewise(bytes);
    expect(() => pieces.forEach((piece) => void receiver.consume(piece))).toThrow(/^a request that starts with 0x0 instead of 0x/);
  });

  it("end with an error when the handler gives up on a payload", () => {
    const make = extended ? extendedRequest : request;
    const log = new Log();
    log.plan = () => "fatal";
    const receiver = new RequestReceiver(log, extended);
    const bytes = make({ type: WRITE, flags: extended ? wire.PAYLOAD_LEN : 0, length: 4_000_000_000n });
    expect(() => receiver.consume(bytes)).toThrow("a payload of 4000000000 bytes, more than is read here");
  });
});

describe.each([
  ["plain", false],
  ["extended", true],
] as const)("the header behind a large payload (%s)", (_name, extended) => {
  const make = extended ? extendedRequest : request;
  const flags = extended ? wire.PAYLOAD_LEN : 0;
  const headerSize = extended ? 32 : 28;
  const large = (cookie: bigint): Buffer => make({ type: WRITE, cookie, flags, payload: noise(100_000) });
  const bytes = Buffer.concat([
    large(1n),
    large(2n),
    make({ type: READ, cookie: 3n, length: 512n }),
    large(4n),
    make({ type: FLUSH, cookie: 5n }),
  ]);

  function fed(log: Log, pieces: readonly Buffer[]): Log {
    feedAsSocket(new RequestReceiver(log, extended), pieces);
    return log;
  }

  it("is read together with the payload's end, where there is room", () => {
    const log = new Log(64);
    const receiver = new RequestReceiver(log, extended);
    receiver.consume(bytes.subarray(0, headerSize));
    expect(receiver.wanted?.length).toBe(100_000 + headerSize);
    receiver.wanted?.set(bytes.subarray(headerSize, 2 * headerSize + 100_000));
    expect(receiver.filled(100_000 + headerSize)).toBeUndefined();
    expect(log.calls.slice(2)).toEqual([expect.stringContaining("cookie=1"), "take 100000", "allocate 100000"]);
    expect(log.payloads[0]?.equals(noise(100_000))).toBe(true);
  });

  it("makes no difference to what is received, in whatever pieces", () => {
    const whole = fed(new Log(), [bytes]);
    for (const beyond of [1, headerSize - 1, headerSize, 64]) {
      for (const pieces of [[bytes], bytewise(bytes), ...[1, 2, 3, 4].map((seed) => randomPieces(bytes, seed))]) {
        const log = fed(new Log(beyond), pieces);
        expect(log.essence).toEqual(whole.essence);
        expect(log.payloads.every((payload) => payload.equals(noise(100_000)))).toBe(true);
        expect(log.payloads).toHaveLength(3);
      }
    }
  });

  it("is left to the caller when the handler pauses", () => {
    const log = new Log(64);
    const receiver = new RequestReceiver(log, extended);
    log.onRequest = () => receiver.pause();
    receiver.consume(bytes.subarray(0, headerSize));
    receiver.wanted?.set(bytes.subarray(headerSize, 2 * headerSize + 100_000));
    const rest = receiver.filled(100_000 + headerSize);
    expect(rest?.equals(bytes.subarray(headerSize + 100_000, 2 * headerSize + 100_000))).toBe(true);
    expect(receiver.midRequest).toBe(false);
    receiver.resume();
    expect(receiver.consume(rest as Buffer)).toBe(headerSize);
    expect(log.calls.at(-1)).toBe("allocate 100000");
  });
});

describe("a payload", () => {
  it("is lent from the packet that it lies whole in", () => {
    const log = new Log();
    new RequestReceiver(log, false).consume(request({ type: WRITE, payload: noise(5000) }));
    expect(log.calls).toEqual(["take 5000", "type=1 flags=0 cookie=1 offset=0 length=5000 payload=5000 lent"]);
  });

  it("is gathered when it does not", () => {
    const log = new Log();
    const receiver = new RequestReceiver(log, false);
    const bytes = request({ type: WRITE, payload: noise(5000) });
    receiver.consume(bytes.subarray(0, 5000));
    receiver.consume(bytes.subarray(5000));
    expect(log.calls).toEqual(["take 5000", "allocate 5000", "type=1 flags=0 cookie=1 offset=0 length=5000 payload=5000 gathered"]);
  });
});

it("a length beyond 2^53 is told exactly", () => {
  const log = new Log();
  new RequestReceiver(log, true).consume(extendedRequest({ type: 4, length: 2n ** 53n + 1n }));
  expect(log.calls).toEqual([`type=4 flags=0 cookie=1 offset=0 length=${2 ** 53}=${2n ** 53n + 1n} payload=0`]);
});
