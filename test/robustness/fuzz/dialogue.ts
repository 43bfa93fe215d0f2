// A second opinion: what a client said is read again, plainly and whole, and beside it what the server answered. Each option and each request that
// arrived whole must have exactly the answer that belongs to it, and nothing else may be there.

import { type RawRequest, readRequests } from "./said.ts";

const OPTION_REPLY = 0x0003e889045565a9n;
const SIMPLE = 0x67446698;
const STRUCTURED = 0x668e33ef;
const EXTENDED = 0x6e8a278c;
const EXPORT_NAME = 1;
const ABORT = 2;
const GO = 7;
const STRUCTURED_REPLY = 8;
const EXTENDED_HEADERS = 11;
const ACK = 1;
const SERVER = 2;
const READ = 0;
const BLOCK_STATUS = 7;
const ESHUTDOWN = 108;
const errorNumbers = new Set([1, 5, 12, 22, 28, 75, 95, ESHUTDOWN]);

/** What the server is known to be like. */
export interface Known {
  readonly size: bigint;
  readonly options: number;
  readonly optionSize: number;
  readonly read: number;
  readonly payload: number;
  readonly drain: number;
}

/** Whoever finds something wrong throws this. */
class Wrong extends Error {}

/** The answer ends here, which it may when the client hung up. */
class CutShort extends Error {}

/**
 * Compares what was said with what was answered.
 *
 * @param heardOut - the client listened to the end: nothing may be missing
 * @returns what is wrong
 */
export function checkDialogue(input: Buffer, output: Buffer, known: Known, heardOut: boolean): string | undefined {
  try {
    new Dialogue(input, output, known).check();
    return undefined;
  } catch (error) {
    if (error instanceof CutShort) return heardOut ? `an answer is missing: ${error.message}` : undefined;
    if (error instanceof Wrong) return error.message;
    throw error;
  }
}

class Dialogue {
  readonly #input: Buffer;
  readonly #output: Buffer;
  readonly #known: Known;
  #said = 0;
  #answered = 0;
  #mode: "simple" | "structured" | "extended" = "simple";

  constructor(input: Buffer, output: Buffer, known: Known) {
    this.#input = input;
    this.#output = output;
    this.#known = known;
  }

  check(): void {
    const greeting = this.#answer(18, "the greeting");
    if (greeting.toString("latin1", 0, 16) !== "NBDMAGICIHAVEOPT" || greeting.readUInt16BE(16) !== 3) throw new Wrong("no greeting");
    const flags = this.#say(4);
    if (flags === undefined || flags.readUInt32BE() > 3) return this.#end();
    const zeroes = (flags.readUInt32BE() & 2) === 0;
    for (let options = 1; ; options += 1) {
      const next = this.#option(options, zeroes);
      if (next === "end") return this.#end();
      if (next === "transmission") return this.#transmission();
    }
  }

  /** Reads what the client says next; nothing when it has not said all of it. */
  #say(length: number): Buffer | undefined {
    if (this.#input.length - this.#said < length) return undefined;
    this.#said += length;
    return this.#input.subarray(this.#said - length, this.#said);
  }

  #answer(length: number, what: string): Buffer {
    if (this.#output.length - this.#answered < length) throw new CutShort(`${what}, at byte ${this.#answered} of ${this.#output.length}`);
    this.#answered += length;
    return this.#output.subarray(this.#answered - length, this.#answered);
  }

  #end(): void {
    const extra = this.#output.length - this.#answered;
    if (extra > 0) throw new Wrong(`${extra} bytes that nobody asked for, at byte ${this.#answered}`);
  }

  #option(count: number, zeroes: boolean): "goes on" | "end" | "transmission" {
    const header = this.#say(16);
    if (header === undefined || header.toString("latin1", 0, 8) !== "IHAVEOPT" || count > this.#known.options) return "end";
    const option = header.readUInt32BE(8);
    const length = header.readUInt32BE(12);
    const tooLong = length > this.#known.optionSize;
    if (tooLong && (option === EXPORT_NAME || length > 16 * 1024 * 1024)) return "end";
    if (this.#say(length) === undefined) return "end";
    if (option === EXPORT_NAME) {
      // It cannot be told apart from a refusal but by what comes.
      if (this.#output.length === this.#answered) return "end";
      this.#answer(zeroes ? 134 : 10, "the answer to EXPORT_NAME");
      return "transmission";
    }
    const type = this.#replies(option);
    if (tooLong && type !== 0x80000009) throw new Wrong(`option ${option} of ${length} bytes was answered ${type}`);
    if (option === ABORT && !tooLong) return "end";
    if (type !== ACK) return "goes on";
    if (option === STRUCTURED_REPLY) this.#mode = "structured";
    if (option === EXTENDED_HEADERS) this.#mode = "extended";
    return option === GO ? "transmission" : "goes on";
  }

  /** The replies to an option; gives the type of the last. */
  #replies(option: number): number {
    for (;;) {
      const header = this.#answer(20, `a reply to option ${option}`);
      if (header.readBigUInt64BE(0) !== OPTION_REPLY) throw new Wrong(`no reply to option ${option} at byte ${this.#answered - 20}`);
      const type = header.readUInt32BE(12);
      const length = header.readUInt32BE(16);
      if (header.readUInt32BE(8) !== option) throw new Wrong(`a reply to option ${header.readUInt32BE(8)} instead of ${option}`);
      if (!(type >= 1 && type <= 4) && !(type >= 0x80000001 && type <= 0x8000000a)) throw new Wrong(`a reply of type ${type}`);
      if (length > 2 * 4096 + 8 || (type === ACK && length > 0)) throw new Wrong(`a reply of type ${type} with ${length} bytes`);
      const payload = this.#answer(length, `the data of a reply to option ${option}`);
      if (type === SERVER && payload.readUInt32BE(0) > length - 4) throw new Wrong("an export name that is longer than its reply");
      if (type === ACK || type >= 0x80000000) return type;
    }
  }

  #transmission(): void {
    const said = readRequests(this.#input.subarray(this.#said), this.#mode === "extended", this.#known.drain);
    const open = new Map(said.requests.map((request) => [request.cookie, new Answer(request, this.#known, this.#mode)] as const));
    // Two requests with one cookie cannot be told apart. It is rare: see renumber().
    if (open.size !== said.requests.length) return;
    while (open.size > 0) {
      if (this.#output.length === this.#answered && !said.finished) return;
      const cookie = this.#reply(open);
      if (cookie !== undefined) open.delete(cookie);
    }
    this.#end();
  }

  /** One reply or chunk; gives the cookie of the request that is answered with it. */
  #reply(open: ReadonlyMap<bigint, Answer>): bigint | undefined {
    const at = this.#answered;
    const missing = `the reply to ${[...open.values()].slice(0, 3).join(", ")}`;
    const magic = this.#answer(4, missing).readUInt32BE();
    const find = (cookie: bigint): Answer => {
      const answer = open.get(cookie);
      if (answer === undefined) throw new Wrong(`a reply at byte ${at} with the cookie ${cookie}, which nothing under way has`);
      return answer;
    };
    if (magic === SIMPLE) {
      const header = this.#answer(12, missing);
      const answer = find(header.readBigUInt64BE(4));
      this.#answer(answer.simple(header.readUInt32BE(0)), missing);
      return header.readBigUInt64BE(4);
    }
    if (magic !== (this.#mode === "extended" ? EXTENDED : STRUCTURED) || this.#mode === "simple") throw new Wrong(`no reply at byte ${at}`);
    const header = this.#answer(this.#mode === "extended" ? 28 : 16, missing);
    const answer = find(header.readBigUInt64BE(4));
    if (this.#mode === "extended" && header.readBigUInt64BE(12) !== answer.request.offset)
      throw new Wrong(`${answer} is answered with another offset`);
    const length = this.#mode === "extended" ? header.readBigUInt64BE(20) : BigInt(header.readUInt32BE(12));
    const payload = this.#answer(Number(length), missing);
    return answer.chunk(header.readUInt16BE(0), header.readUInt16BE(2), payload) ? answer.request.cookie : undefined;
  }
}

/** The answer to one request, as far as it has come. */
class Answer {
  readonly request: RawRequest;
  readonly #known: Known;
  readonly #mode: "simple" | "structured" | "extended";
  readonly #covered: [from: bigint, to: bigint][] = [];
  readonly #contexts = new Set<number>();

  constructor(request: RawRequest, known: Known, mode: "simple" | "structured" | "extended") {
    this.request = request;
    this.#known = known;
    this.#mode = mode;
  }

  toString(): string {
    const { type, flags, offset, length, cookie } = this.request;
    return `request ${cookie} (type ${type}, flags ${flags}, ${length} bytes at ${offset})`;
  }

  /** A simple reply; gives the bytes of data that follow it. */
  simple(error: number): number {
    const { type, length } = this.request;
    if (this.#mode === "extended" || (this.#mode === "structured" && (type === READ || type === BLOCK_STATUS)))
      throw new Wrong(`${this} has a simple reply`);
    if (error !== 0) return this.#failed(error);
    this.#succeeded();
    return type === READ ? Number(length) : 0;
  }

  /** A chunk; says whether it is the last. */
  chunk(flags: number, type: number, payload: Buffer): boolean {
    const { offset, length } = this.request;
    const done = flags === 1;
    if (flags > 1) throw new Wrong(`${this} has a chunk with the flags ${flags}`);
    const wrong = new Wrong(`${this} has a chunk of type ${type} with ${payload.length} bytes${done ? ", the last" : ""}`);
    switch (type) {
      case 0:
        if (payload.length > 0 || !done) throw wrong;
        this.#succeeded();
        return true;
      case 1:
      case 2: {
        if (this.request.type !== READ || (type === 1 ? payload.length < 9 : payload.length !== 12)) throw wrong;
        const from = payload.readBigUInt64BE(0);
        const bytes = type === 1 ? BigInt(payload.length - 8) : BigInt(payload.readUInt32BE(8));
        if (bytes === 0n || from < offset || from + bytes > offset + length) throw wrong;
        if (this.#covered.some(([start, end]) => from < end && from + bytes > start)) throw wrong;
        this.#covered.push([from, from + bytes]);
        break;
      }
      case 5:
      case 6: {
        const wide = type === 6;
        if (this.request.type !== BLOCK_STATUS || wide !== (this.#mode === "extended")) throw wrong;
        if (
          wide
            ? payload.length < 24 || payload.readUInt32BE(4) !== (payload.length - 8) / 16
            : payload.length < 12 || payload.length % 8 !== 4
        )
          throw wrong;
        const context = payload.readUInt32BE(0);
        if (this.#contexts.has(context)) throw wrong;
        this.#contexts.add(context);
        break;
      }
      case 0x8001:
      case 0x8002:
        if (payload.length < 6 || !done || payload.readUInt16BE(4) !== payload.length - (type === 0x8002 ? 14 : 6)) throw wrong;
        this.#failed(payload.readUInt32BE(0));
        return true;
      default:
        throw wrong;
    }
    if (done) this.#succeeded();
    return done;
  }

  #failed(error: number): 0 {
    if (!errorNumbers.has(error)) throw new Wrong(`${this} failed with the number ${error}`);
    return 0;
  }

  /** Only what is right may succeed. */
  #succeeded(): void {
    const { type, flags, offset, length, payload } = this.request;
    const { size, read } = this.#known;
    const extended = this.#mode === "extended";
    const carries = extended ? 0x20 : 0;
    const allowed = [this.#mode === "simple" ? 0 : 0x4, carries, 0, 0, 0, 0, 0x12, 0x8 | carries][type];
    if (allowed === undefined || (flags & ~(allowed | 1)) !== 0) throw new Wrong(`${this} succeeded`);
    const payloadForm = type === BLOCK_STATUS && payload > 0n;
    if (type !== 3 && !payloadForm && offset + length > size) throw new Wrong(`${this} succeeded past the end`);
    if (type === 3 && (offset !== 0n || length !== 0n)) throw new Wrong(`${this} succeeded`);
    if (type === READ && length > BigInt(read)) throw new Wrong(`${this} succeeded`);
    if (type === 1 && (length > BigInt(this.#known.payload) || (extended && (flags & 0x20) === 0))) throw new Wrong(`${this} succeeded`);
    if (type !== READ || this.#mode === "simple") return;
    const covered = this.#covered.reduce((sum, [from, to]) => sum + to - from, 0n);
    if (covered !== length) throw new Wrong(`${this} succeeded with ${covered} bytes`);
  }
}
