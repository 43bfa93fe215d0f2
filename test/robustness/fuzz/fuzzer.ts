// Tries fuzzed sessions on a whole server, and on the state machines alone, and watches for what must never happen.

import { once } from "node:events";
import { createConnection } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, DiskError } from "../../../src/contract/index.ts";
import type { Plugin } from "../../../src/contract/plugin.ts";
import { type Server, serve } from "../../../src/server/index.ts";
import * as wire from "../../client/wire.ts";
import { ByteStream } from "../../fixtures/byte-stream.ts";
import { random } from "../../fixtures/bytes.ts";
import { clientFlags, infoQuery, option, request } from "../../fixtures/client-bytes.ts";
import { duplexPair } from "../../fixtures/duplex-pair.ts";
import { ram } from "../../fixtures/ram.ts";
import { SIZE, sessionDisk } from "../../fixtures/sessions.ts";
import { type Strict, strict } from "../../fixtures/strict.ts";
import { checkDialogue } from "./dialogue.ts";
import { fuzzMachines } from "./machines.ts";
import { DRAIN, type FuzzCase } from "./mutations.ts";

/** Milliseconds after which a session that has lost its client must be over. */
const PATIENCE = 5000;
const limits = {
  options: 50,
  optionSize: 65_536,
  bytesInFlight: 100_000,
  requestsInFlight: 8,
  payload: 128 * 1024,
  read: 256 * 1024,
  drain: DRAIN,
  handshakeTimeout: Number.POSITIVE_INFINITY,
} as const;

/** A disk that answers now at once and now later, and now and then not as one wishes. */
function moody(plugin: Plugin, next: () => number): Plugin {
  const soon = <T>(perform: () => T): T | Promise<Awaited<T>> => {
    const mood = next() % 16;
    if (mood === 0) throw Object.assign(new Error("a bad day"), { code: ["EIO", "ENOSPC", "constructor", 7][next() % 4] });
    if (mood === 1) return Promise.reject(new DiskError("EIO", "a bad day later", { offset: BigInt(next()) }));
    if (mood < 8) return perform();
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        try {
          resolve(perform() as Awaited<T>);
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  };
  return {
    ...plugin,
    async open(request) {
      if (next() % 16 === 0) throw new DiskError("EIO", "not today");
      const disk = (await plugin.open(request)) as Connection;
      const { write, trim, zero, flush, extents, cache } = disk;
      return {
        ...disk,
        read: (target, offset) => soon(() => disk.read(target, offset)) as Promise<void>,
        write: (source, offset, flags) => soon(() => write?.(source, offset, flags)) as Promise<void>,
        trim: (offset, length, flags) => soon(() => trim?.(offset, length, flags)) as Promise<void>,
        zero: (offset, length, flags) => soon(() => zero?.(offset, length, flags)) as Promise<void>,
        flush: () => soon(() => flush?.()) as Promise<void>,
        cache: (offset, length) => soon(() => cache?.(offset, length)) as Promise<void>,
        extents: (offset, length, flags) => soon(() => [...((extents?.(offset, length, flags) ?? []) as Iterable<never>)]),
      };
    },
  };
}

/** Tries cases one after the other on one server. */
export class Fuzzer {
  readonly #disk: Strict;
  readonly #server: Server;
  readonly #witness: ByteStream;
  readonly #uncaught: unknown[] = [];
  readonly #onUncaught = (error: unknown): void => void this.#uncaught.push(error);

  private constructor(disk: Strict, server: Server, witness: ByteStream) {
    this.#disk = disk;
    this.#server = server;
    this.#witness = witness;
    process.on("unhandledRejection", this.#onUncaught);
    process.on("uncaughtException", this.#onUncaught);
  }

  /** @param seed - of the disk's moods */
  static async start(seed: number): Promise<Fuzzer> {
    const disk = strict(moody(sessionDisk(), random(seed)));
    const server = await serve({ disk, witness: ram(Buffer.alloc(4096, 0x57)) }, { unix: true, limits, defaultExport: "disk" });
    const [ours, theirs] = duplexPair();
    void server.accept(theirs);
    const witness = new ByteStream(ours);
    witness.send(clientFlags(), option(wire.GO, infoQuery("witness")));
    await witness.read(18 + 20 + 12 + 20);
    return new Fuzzer(disk, server, witness);
  }

  /** Tries a case; answers what went wrong. */
  async run(fuzz: FuzzCase): Promise<string | undefined> {
    try {
      const wrong = (await fuzzMachines(fuzz)) ?? (await this.#session(fuzz)) ?? (await this.#others());
      if (wrong !== undefined) return wrong;
    } catch (error) {
      return `thrown: ${error instanceof Error ? error.stack : String(error)}`;
    }
    if (this.#uncaught.length === 0) return undefined;
    return `uncaught: ${this.#uncaught
      .splice(0)
      .map((error) => (error instanceof Error ? error.stack : String(error)))
      .join("\n")}`;
  }

  /** Closes the server; answers what went wrong in all. */
  async stop(): Promise<string | undefined> {
    this.#witness.stream.destroy();
    await this.#server.close();
    process.off("unhandledRejection", this.#onUncaught);
    process.off("uncaughtException", this.#onUncaught);
    const count = (event: string): number => this.#disk.life.filter((happened) => happened.startsWith(event)).length;
    if (this.#disk.violations.length > 0) return this.#disk.violations.join("; ");
    if (count("open ") !== count("close ")) return `${count("open ")} opens and ${count("close ")} closes`;
    return undefined;
  }

  async #session(fuzz: FuzzCase): Promise<string | undefined> {
    const { pieces, ending, patient, attentive, way } = fuzz;
    const { client, over } = await this.#connect(way);
    const output: Buffer[] = [];
    client.on("data", (bytes: Buffer) => void output.push(bytes));
    client.on("error", () => undefined);
    const ended = once(client, "end").catch(() => undefined);
    if (!attentive) client.pause();
    for (const piece of pieces) {
      if (!client.writable) break;
      client.write(piece);
      if (patient) await new Promise((resolve) => setImmediate(resolve));
    }
    client.resume();
    // The end of what a socket's client says is its end: it waits a little for what it may be told.
    if (way === "socket") await Promise.race([ended, sleep(patienceOf(fuzz))]);
    if (ending === "end") client.end();
    else if (ending === "destroy") client.destroy();
    else client.destroy(new Error("reset"));
    const heardOut = ending === "end" && way !== "socket";
    const finished = await within(ending === "end" ? Promise.race([over(), ended]) : over());
    // What is still on its way.
    await new Promise((resolve) => setImmediate(resolve));
    client.destroy();
    if (!finished || !(await within(over()))) return "the session does not end";
    if (this.#disk.violations.length > 0) return this.#disk.violations.splice(0).join("; ");
    return checkDialogue(Buffer.concat(pieces), Buffer.concat(output), { ...limits, size: BigInt(SIZE) }, heardOut);
  }

  /** A client, and what settles when its session is over. */
  async #connect(way: FuzzCase["way"]): Promise<{ client: Duplex; over(): Promise<unknown> }> {
    if (way !== "socket") {
      const [client, theirs] = duplexPair(way === "pair at once");
      const session = this.#server.accept(theirs);
      return { client, over: () => session };
    }
    const client = createConnection((this.#server.address as { readonly path: string }).path);
    await once(client, "connect");
    const over = async (): Promise<void> => {
      // The witness stays.
      while (this.#server.connections > 1) await sleep(1);
    };
    return { client, over };
  }

  /** Another client is served as if nothing were. */
  async #others(): Promise<string | undefined> {
    this.#witness.send(request({ type: wire.READ, cookie: 42n, length: 4096n }));
    const reply = await this.#witness.read(16 + 4096);
    return reply.equals(wire.simpleReply(42n, 0, Buffer.alloc(4096, 0x57))) ? undefined : "another client got a wrong answer";
  }
}

/** Milliseconds that the client of a socket waits at its end. */
function patienceOf({ seed }: FuzzCase): number {
  return seed % 4 === 0 ? 0 : 5;
}

/** Whether a promise settles in time. */
async function within(promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), PATIENCE);
  });
  const settled = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return settled;
}
