// A server that does as the test says, right or wrong: for what no real server does, or will not do on purpose.

import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join as joinPath } from "node:path";
import type { Duplex } from "node:stream";
import { onTestFinished } from "vitest";
import { tree } from "../fixtures/tree.ts";
import * as wire from "./wire.ts";

/** An option as it arrived. */
export interface FakeOption {
  readonly option: number;
  readonly data: Buffer;
}

/** A request as it arrived. */
export interface FakeRequest {
  readonly magic: number;
  readonly flags: number;
  readonly command: number;
  readonly cookie: bigint;
  readonly offset: bigint;
  readonly length: bigint;
  readonly payload: Buffer;
}

/** What a well-behaved negotiation is to come to. */
export interface FakeExport {
  readonly size?: bigint;
  /** Transmission flags; HAS_FLAGS is added. */
  readonly flags?: number;
  /** The best replies that the server has. Default: structured. */
  readonly replies?: "simple" | "structured" | "extended";
  /** The contexts it has, the first with id 1. Default: base:allocation alone. */
  readonly contexts?: readonly string[];
  /** More replies to GO. */
  readonly infos?: readonly Buffer[];
}

/** One client of the fake server. */
export class FakeClient {
  readonly stream: Duplex;
  #arrived: Buffer = Buffer.alloc(0);
  #ended = false;
  readonly #waiting: (() => void)[] = [];
  /** Whether requests and replies have extended headers. */
  extended = false;

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on("data", (bytes: Buffer) => {
      this.#arrived = Buffer.concat([this.#arrived, bytes]);
      this.#wake();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    stream.on("end", end).on("close", end).on("error", end);
  }

  /** Bytes that have arrived and nobody has read. */
  get unread(): number {
    return this.#arrived.length;
  }

  /** Waits for `length` bytes. Rejects when the client goes before. */
  async read(length: number): Promise<Buffer> {
    while (this.#arrived.length < length) {
      if (this.#ended) throw new Error(`the client is gone: ${length} bytes wanted, ${this.#arrived.length} there`);
      await this.#change();
    }
    const bytes = this.#arrived.subarray(0, length);
    this.#arrived = this.#arrived.subarray(length);
    return bytes;
  }

  /** Waits until the client is gone; gives what it had said unread. */
  async gone(): Promise<Buffer> {
    while (!this.#ended) await this.#change();
    return this.#arrived;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  send(...bytes: readonly Uint8Array[]): void {
    this.stream.write(Buffer.concat(bytes));
  }

  /** Sends bytes one at a time, each in a turn of its own. */
  async trickle(bytes: Uint8Array): Promise<void> {
    for (const byte of bytes) {
      this.stream.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Greets; answers the client's flags. */
  async greet(flags?: number): Promise<number> {
    this.send(wire.greeting(flags));
    return (await this.read(4)).readUInt32BE();
  }

  async option(): Promise<FakeOption> {
    const header = await this.read(16);
    if (header.toString("latin1", 0, 8) !== "IHAVEOPT") throw new Error(`no option: ${header.toString("hex")}`);
    return { option: header.readUInt32BE(8), data: await this.read(header.readUInt32BE(12)) };
  }

  /** Greets and answers options as a good server would, until GO; gives the options in order. */
  async negotiate(fake: FakeExport = {}): Promise<FakeOption[]> {
    await this.greet();
    return this.haggle(fake);
  }

  /** Answers options as a good server would, until GO. */
  async haggle({
    size = 1n << 20n,
    flags = 0,
    replies = "structured",
    contexts = ["base:allocation"],
    infos = [],
  }: FakeExport): Promise<FakeOption[]> {
    const options: FakeOption[] = [];
    for (;;) {
      const asked = await this.option();
      options.push(asked);
      const { option, data } = asked;
      if (option === wire.GO) {
        this.send(...infos, wire.exportInfo(size, flags | wire.HAS_FLAGS), wire.optionReply(option, wire.ACK));
        return options;
      }
      if (option === wire.EXTENDED_HEADERS && replies === "extended") {
        this.extended = true;
        this.send(wire.optionReply(option, wire.ACK));
      } else if (option === wire.STRUCTURED_REPLY && replies !== "simple") {
        this.send(wire.optionReply(option, wire.ACK));
      } else if (option === wire.SET_META_CONTEXT) {
        const chosen = contexts.map((name, index) => ({ name, id: index + 1 })).filter(({ name }) => data.includes(name));
        this.send(...chosen.map(({ name, id }) => wire.contextReply(option, id, name)), wire.optionReply(option, wire.ACK));
      } else {
        this.send(wire.optionReply(option, wire.UNSUP));
      }
    }
  }

  /** Waits for a request, with its payload. */
  async request(): Promise<FakeRequest> {
    const header = await this.read(this.extended ? 32 : 28);
    const flags = header.readUInt16BE(4);
    const command = header.readUInt16BE(6);
    const length = this.extended ? header.readBigUInt64BE(24) : BigInt(header.readUInt32BE(24));
    const carries = this.extended ? (flags & wire.PAYLOAD_LEN) !== 0 : command === wire.WRITE;
    return {
      magic: header.readUInt32BE(0),
      flags,
      command,
      cookie: header.readBigUInt64BE(8),
      offset: header.readBigUInt64BE(16),
      length,
      payload: carries ? await this.read(Number(length)) : Buffer.alloc(0),
    };
  }

  /** Waits for so many requests. */
  async requests(count: number): Promise<FakeRequest[]> {
    const list: FakeRequest[] = [];
    while (list.length < count) list.push(await this.request());
    return list;
  }

  /** Sends a chunk that answers `request`, in the form that was agreed on. */
  chunk({ cookie, offset }: FakeRequest, flags: number, type: number, payload?: Uint8Array): void {
    this.send(this.extended ? wire.extendedChunk(cookie, offset, flags, type, payload) : wire.chunk(cookie, flags, type, payload));
  }

  /** Says that `request` is done. */
  done(request: FakeRequest): void {
    this.chunk(request, wire.DONE, wire.NONE);
  }

  /** Answers a read with bytes that are all `fill`. */
  data(request: FakeRequest, fill: number): void {
    this.chunk(request, wire.DONE, wire.DATA, wire.dataPayload(request.offset, Buffer.alloc(Number(request.length), fill)));
  }

  /** Answers whatever comes, reads with `fill`, until the client takes leave; gives what came. */
  async serve(fill = 0): Promise<FakeRequest[]> {
    const list: FakeRequest[] = [];
    for (;;) {
      const request = await this.request();
      list.push(request);
      if (request.command === wire.DISC) {
        this.stream.end();
        return list;
      }
      if (request.command === wire.READ) this.data(request, fill);
      else this.done(request);
    }
  }
}

/** A fake server that listens on a unix socket until the end of the test. */
export interface FakeServer {
  readonly uri: string;
  /** How many clients have come. */
  clients(): number;
  /** Settles when all that the clients were to go through has been gone through; rejects with what failed. */
  played(): Promise<void>;
}

/**
 * Listens, and plays `script` with every client that comes. The first client is number 0.
 *
 * @example A server that answers one read, and hangs up
 * ```ts
 * const { uri } = await fakeServer(async (client) => {
 *   await client.negotiate({ size: 512n });
 *   client.data(await client.request(), 0x41);
 *   client.stream.end();
 * });
 * ```
 */
export async function fakeServer(script: (client: FakeClient, number: number) => Promise<unknown>): Promise<FakeServer> {
  const path = joinPath(tree(), "fake");
  const sockets: Socket[] = [];
  const plays: Promise<unknown>[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    const play = script(new FakeClient(socket), sockets.length - 1);
    play.catch(() => undefined);
    plays.push(play);
  });
  server.listen(path);
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  return {
    uri: `nbd+unix:///?socket=${path}`,
    clients: () => sockets.length,
    played: async () => void (await Promise.all(plays)),
  };
}
