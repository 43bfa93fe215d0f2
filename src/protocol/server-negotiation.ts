// The server's half of the handshake as a state machine: bytes in, bytes out, and a host that knows the exports. No sockets, no timers.

import type { ExportInfo } from "../contract/plugin.ts";
import { BASE_ALLOCATION, ClientFlag, HandshakeFlag, Info, NBD_MAGIC, OPTION_MAGIC, Option, Reply } from "./constants.ts";
import {
  blockSizeInfo,
  contextReply,
  exportInfo,
  OptionError,
  optionError,
  optionReply,
  parseInfoQuery,
  parseMetaQuery,
  parseString,
  serverReply,
  textInfo,
} from "./options.ts";
import type { ReplyMode } from "./replies.ts";

/** What the handshake needs to know of an export that was opened for the client. */
export interface NegotiableExport {
  readonly size: bigint;
  /** Transmission flags for a mode; see `TransmissionFlag`. */
  flags(mode: ReplyMode, contexts: number): number;
  /** The name that the server knows it by. */
  readonly canonicalName: string;
  readonly description: string | undefined;
  /** Minimum, preferred and maximum, in bytes. */
  readonly blockSize: readonly [number, number, number];
  /** The names of its contexts beside `base:allocation`. */
  readonly contexts: readonly string[];
}

/** Who knows the exports. The text of an {@link OptionError} that it rejects with goes to the client, that of other errors does not. */
export interface NegotiationHost<E extends NegotiableExport> {
  /** Sends bytes to the client. */
  send(bytes: Uint8Array): void;
  /** The exports to list. */
  list(): Promise<readonly ExportInfo[]>;
  /** Opens an export, or answers the one that is open if it is the same. */
  open(name: string): Promise<E>;
  /** The answer has arrived: feed what was left over. */
  ready(): void;
  /** The transmission phase begins. */
  transmit(agreed: Agreement<E>): void;
  /** The handshake is over without one: soft (the client said so) or because of `reason`. */
  end(reason: string | undefined): void;
  /** Whether the server is closing: options are answered with ERR_SHUTDOWN. */
  readonly closing: boolean;
}

/** What was agreed on. */
export interface Agreement<E extends NegotiableExport> {
  readonly export: E;
  readonly mode: ReplyMode;
  /** The chosen contexts; the position is the id. */
  readonly contexts: readonly string[];
}

/** Bounds of a handshake. */
export interface NegotiationLimits {
  /** Options in all. */
  readonly options: number;
  /** Bytes of one option. */
  readonly optionSize: number;
}

const GREETING = 0;
const HEADER = 1;
const DATA = 2;
const SKIP = 3;
const BUSY = 4;
const DONE = 5;

const HEADER_SIZE = 16;
const MAX_EXPORTS = 10_000;
const MAX_QUERIES = 1024;
/** A longer option is not even read in order to be refused. */
const MAX_SKIP = 16 * 1024 * 1024;

/** The state machine. Construct it, and it greets; feed it with {@link ServerNegotiation.consume}. */
export class ServerNegotiation<E extends NegotiableExport> {
  readonly #host: NegotiationHost<E>;
  readonly #limits: NegotiationLimits;
  #state = GREETING;
  #need = 4;
  #buffer = Buffer.alloc(64);
  #have = 0;
  #option = 0;
  #options = 0;
  #noZeroes = false;
  #mode: ReplyMode = "simple";
  #contexts: { readonly exportName: string; readonly names: readonly string[] } | undefined;

  constructor(host: NegotiationHost<E>, limits: NegotiationLimits) {
    this.#host = host;
    this.#limits = limits;
    const greeting = Buffer.alloc(18);
    greeting.writeBigUInt64BE(NBD_MAGIC, 0);
    greeting.writeBigUInt64BE(OPTION_MAGIC, 8);
    greeting.writeUInt16BE(HandshakeFlag.FIXED_NEWSTYLE | HandshakeFlag.NO_ZEROES, 16);
    host.send(greeting);
  }

  /** Whether the client's last word is being worked on. */
  get busy(): boolean {
    return this.#state === BUSY;
  }

  /** Forgets everything that was negotiated, as changing to TLS demands. */
  forget(): void {
    this.#mode = "simple";
    this.#contexts = undefined;
  }

  /** Takes bytes; returns how many. It takes none while it is busy and none after the end. */
  consume(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length && this.#state < BUSY) {
      const length = Math.min(this.#need - this.#have, chunk.length - at);
      if (this.#state !== SKIP) chunk.copy(this.#buffer, this.#have, at, at + length);
      this.#have += length;
      at += length;
      if (this.#have === this.#need) this.#advance();
    }
    return at;
  }

  #expect(state: number, need: number): void {
    this.#state = state;
    this.#need = need;
    this.#have = 0;
    if (need > this.#buffer.length && state !== SKIP) this.#buffer = Buffer.alloc(need);
    if (need === 0) this.#advance();
  }

  #advance(): void {
    const data = this.#buffer.subarray(0, this.#need);
    switch (this.#state) {
      case GREETING:
        return this.#clientFlags(data.readUInt32BE(0));
      case HEADER:
        return this.#header(data);
      case SKIP:
        this.#host.send(
          optionError(this.#option, Reply.ERR_TOO_BIG, `the option has ${this.#need} bytes: at most ${this.#limits.optionSize} are read`),
        );
        return this.#expect(HEADER, HEADER_SIZE);
      default:
        return this.#perform(Buffer.from(data));
    }
  }

  #clientFlags(flags: number): void {
    if ((flags & ~(ClientFlag.FIXED_NEWSTYLE | ClientFlag.NO_ZEROES)) !== 0)
      return this.#end(`unknown client flags 0x${flags.toString(16)}`);
    this.#noZeroes = (flags & ClientFlag.NO_ZEROES) !== 0;
    this.#expect(HEADER, HEADER_SIZE);
  }

  #header(data: Buffer): void {
    if (data.readBigUInt64BE(0) !== OPTION_MAGIC) return this.#end("an option without its magic: the client does not speak newstyle NBD");
    this.#option = data.readUInt32BE(8);
    const length = data.readUInt32BE(12);
    this.#options += 1;
    if (this.#options > this.#limits.options) return this.#end(`more than ${this.#limits.options} options`);
    if (length <= this.#limits.optionSize) return this.#expect(DATA, length);
    if (this.#option === Option.EXPORT_NAME) return this.#end("an export name that is too long");
    if (length > MAX_SKIP) return this.#end(`an option of ${length} bytes`);
    this.#expect(SKIP, length);
  }

  #perform(data: Buffer): void {
    const option = this.#option;
    if (option === Option.ABORT) {
      this.#host.send(optionReply(option, Reply.ACK));
      return this.#end(undefined);
    }
    if (this.#host.closing) {
      if (option === Option.EXPORT_NAME) return this.#end("the server is shutting down");
      return this.#answer([optionError(option, Reply.ERR_SHUTDOWN, "the server is shutting down")]);
    }
    try {
      const answer = this.#reply(option, data);
      if (Array.isArray(answer)) return this.#answer(answer);
      this.#state = BUSY;
      answer.then(
        (finish) => this.#arrived(finish),
        (error: unknown) => this.#arrived(() => this.#refuse(option, error)),
      );
    } catch (error) {
      this.#refuse(option, error);
    }
  }

  /** A later answer: `finish` acts on it. */
  #arrived(finish: () => void): void {
    if (this.#state !== BUSY) return;
    if (this.#host.closing && this.#option !== Option.EXPORT_NAME) {
      this.#answer([optionError(this.#option, Reply.ERR_SHUTDOWN, "the server is shutting down")]);
    } else {
      finish();
    }
    this.#host.ready();
  }

  #refuse(option: number, error: unknown): void {
    const { reply, message } =
      error instanceof OptionError ? error : new OptionError(Reply.ERR_POLICY, "the option could not be carried out");
    if (option === Option.EXPORT_NAME) return this.#end(message);
    this.#answer([optionError(option, reply, message)]);
  }

  #answer(replies: readonly Uint8Array[]): void {
    this.#host.send(replies.length === 1 ? (replies[0] as Uint8Array) : Buffer.concat(replies));
    this.#expect(HEADER, HEADER_SIZE);
  }

  #end(reason: string | undefined): void {
    this.#state = DONE;
    this.#host.end(reason);
  }

  #reply(option: number, data: Buffer): Uint8Array[] | Promise<() => void> {
    switch (option) {
      case Option.EXPORT_NAME:
        return this.#exportName(parseString(data, "the export name"));
      case Option.LIST:
        this.#noData(option, data);
        return this.#list(option);
      case Option.INFO:
      case Option.GO:
        return this.#info(option, data);
      case Option.STRUCTURED_REPLY:
        this.#noData(option, data);
        if (this.#mode === "extended") throw new OptionError(Reply.ERR_EXT_HEADER_REQD, "extended headers are already negotiated");
        if (this.#mode === "structured") throw new OptionError(Reply.ERR_INVALID, "structured replies are already negotiated");
        this.#mode = "structured";
        return [optionReply(option, Reply.ACK)];
      case Option.EXTENDED_HEADERS:
        this.#noData(option, data);
        if (this.#mode === "extended") throw new OptionError(Reply.ERR_INVALID, "extended headers are already negotiated");
        this.#mode = "extended";
        return [optionReply(option, Reply.ACK)];
      case Option.LIST_META_CONTEXT:
      case Option.SET_META_CONTEXT:
        return this.#metaContext(option, data);
      case Option.STARTTLS:
        this.#noData(option, data);
        throw new OptionError(Reply.ERR_UNSUP, "this server has no TLS");
      default:
        throw new OptionError(Reply.ERR_UNSUP, `option ${option} is not known here`);
    }
  }

  #noData(option: number, data: Buffer): void {
    if (data.length > 0) throw new OptionError(Reply.ERR_INVALID, `option ${option} takes no data, but ${data.length} bytes came with it`);
  }

  async #exportName(name: string): Promise<() => void> {
    if (this.#mode === "extended") throw new OptionError(Reply.ERR_INVALID, "EXPORT_NAME cannot be used with extended headers");
    const opened = await this.#host.open(name);
    return () => {
      const reply = Buffer.alloc(this.#noZeroes ? 10 : 134);
      reply.writeBigUInt64BE(opened.size, 0);
      reply.writeUInt16BE(opened.flags(this.#mode, this.#contextsFor(name).length), 8);
      this.#host.send(reply);
      this.#transmit(opened, name);
    };
  }

  async #list(option: number): Promise<() => void> {
    const exports = await this.#host.list();
    const replies = exports.slice(0, MAX_EXPORTS).map(({ name, description }) => serverReply(option, name, description));
    return () => this.#answer([...replies, optionReply(option, Reply.ACK)]);
  }

  async #info(option: number, data: Buffer): Promise<() => void> {
    const { name, wanted } = parseInfoQuery(data);
    const opened = await this.#host.open(name);
    return () => {
      this.#host.send(exportInfo(option, opened.size, opened.flags(this.#mode, this.#contextsFor(name).length)));
      if (wanted.includes(Info.NAME)) this.#host.send(textInfo(option, Info.NAME, opened.canonicalName));
      if (wanted.includes(Info.DESCRIPTION) && opened.description !== undefined) {
        this.#host.send(textInfo(option, Info.DESCRIPTION, opened.description));
      }
      if (wanted.includes(Info.BLOCK_SIZE)) this.#host.send(blockSizeInfo(option, ...opened.blockSize));
      if (option === Option.INFO) return this.#answer([optionReply(option, Reply.ACK)]);
      this.#host.send(optionReply(option, Reply.ACK));
      this.#transmit(opened, name);
    };
  }

  #metaContext(option: number, data: Buffer): Promise<() => void> {
    const set = option === Option.SET_META_CONTEXT;
    // Even a request that fails replaces what was chosen before.
    if (set) this.#contexts = undefined;
    if (this.#mode === "simple")
      throw new OptionError(Reply.ERR_INVALID, "structured replies or extended headers must be negotiated first");
    const { name, queries } = parseMetaQuery(data, MAX_QUERIES);
    return this.#chooseContexts(option, name, queries, set);
  }

  async #chooseContexts(option: number, name: string, queries: readonly string[], set: boolean): Promise<() => void> {
    const opened = await this.#host.open(name);
    const available = [BASE_ALLOCATION, ...opened.contexts];
    const all = !set && queries.length === 0;
    const names = available.filter((context) => all || queries.some((query) => (set ? query === context : selects(query, context))));
    return () => {
      if (set) this.#contexts = { exportName: name, names };
      this.#answer([...names.map((context, id) => contextReply(option, set ? id : 0, context)), optionReply(option, Reply.ACK)]);
    };
  }

  #contextsFor(exportName: string): readonly string[] {
    return this.#contexts?.exportName === exportName ? this.#contexts.names : [];
  }

  #transmit(opened: E, name: string): void {
    this.#state = DONE;
    this.#host.transmit({ export: opened, mode: this.#mode, contexts: this.#contextsFor(name) });
  }
}

/** Whether a query of LIST_META_CONTEXT finds a context: by its name, or by `namespace:` alone. */
function selects(query: string, context: string): boolean {
  return query === context || (query.endsWith(":") && query.indexOf(":") === query.length - 1 && context.startsWith(query));
}
