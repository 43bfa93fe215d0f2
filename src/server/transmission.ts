// The transmission phase: checks each request, has the disk do it, and sees that exactly one reply goes out.

import { type Awaitable, isPromise } from "../contract/awaitable.ts";
import type { Disk } from "../contract/disk.ts";
import { DiskError } from "../contract/error.ts";
import { writeFlags, zeroFlags } from "../contract/flags.ts";
import { type RangeCheck, rangeCheck } from "../contract/range.ts";
import { Command, CommandFlag, TransmissionFlag } from "../protocol/constants.ts";
import { type ReplyMode, requestId } from "../protocol/replies.ts";
import type { PayloadPlan, RequestHandler, RequestHeader } from "../protocol/requests.ts";
import { blockStatus } from "./block-status.ts";
import type { BufferPool } from "./buffers.ts";
import { type RequestEvent, requestEnd, requestError, requestEvent, requestStart } from "./diagnostics.ts";
import type { Limits } from "./options.ts";
import type { Output } from "./output.ts";
import { Reads } from "./reads.ts";
import { type Failing, Replier } from "./replier.ts";

/** What a transmission phase works with. */
export interface TransmissionOptions {
  readonly disk: Disk;
  readonly readonly: boolean;
  readonly mode: ReplyMode;
  readonly contexts: readonly string[];
  /** The transmission flags that the client was told. */
  readonly flags: number;
  readonly limits: Limits;
  readonly output: Output;
  readonly pool: BufferPool;
  /** Number of the connection, for diagnostics. */
  readonly connection: number;
  /** The chunk that is being received stays in use after this tick. */
  keepChunk(): void;
  /** A request that was answered later is over: replies are to be sent, and there may be room for more requests. */
  progressed(): void;
  /** No further request is to be taken for now. */
  stopReading(): void;
  /** The client wishes to leave. */
  disconnect(): void;
}

const FUA = CommandFlag.FUA;
/** Flags that a command may have beside FUA. */
const allowed: Readonly<Record<number, number>> = {
  [Command.READ]: CommandFlag.DF,
  [Command.WRITE]: CommandFlag.PAYLOAD_LEN,
  [Command.DISC]: 0,
  [Command.FLUSH]: 0,
  [Command.TRIM]: 0,
  [Command.CACHE]: 0,
  [Command.WRITE_ZEROES]: CommandFlag.NO_HOLE | CommandFlag.FAST_ZERO,
  [Command.BLOCK_STATUS]: CommandFlag.REQ_ONE | CommandFlag.PAYLOAD_LEN,
};
/** The longest payload that a block-status request may have: an effect length and 1024 contexts. */
const MAX_STATUS_PAYLOAD = 8 + 4 * 1024;

/** A list of extents may be very long, */
const STATUS_WEIGHT = 4 * 1024 * 1024;
/** and zeroing or caching by hand works through a buffer of this size. */
const SLICE_WEIGHT = 1024 * 1024;

/** Writes from this size on are received where the disk keeps them, if it lends that room. */
const ROOM = 64 * 1024;
/** So many bytes of replies do not wait for the rest of the packet: the client takes them meanwhile (read 64 KiB at depth 16: a tenth faster). */
const SEND_NOW = 256 * 1024;
/** Reads up to this size are checked by the disk alone. */
const UNCHECKED = 16 * 1024;

/** A request whose answer is not there yet. */
interface Pending extends Failing {
  readonly bytes: number;
  answered: boolean;
}

/** Handles the requests of one connection. */
export class Transmission implements RequestHandler {
  readonly #options: TransmissionOptions;
  readonly #disk: Disk;
  readonly #output: Output;
  readonly #pool: BufferPool;
  readonly #limits: Limits;
  readonly #replier: Replier;
  readonly #reads: Reads;
  readonly #extended: boolean;
  readonly #canFua: boolean;
  readonly #checkRange: RangeCheck;
  readonly #pending = new Set<Pending>();
  #bytes = 0;
  /** Why the request whose payload is being dropped is refused. */
  #refusal: unknown;
  /** The pool's buffer behind the payload that is being received. */
  #allocated: Buffer | undefined;
  /** The disk answered its last write later: payloads are copied rather than lent. */
  #writesLater = false;
  #stopping = false;

  constructor(options: TransmissionOptions) {
    this.#options = options;
    this.#disk = options.disk;
    this.#output = options.output;
    this.#pool = options.pool;
    this.#limits = options.limits;
    this.#extended = options.mode === "extended";
    this.#canFua = (options.flags & TransmissionFlag.SEND_FUA) !== 0;
    this.#checkRange = rangeCheck(options.disk.size);
    this.#replier = new Replier(options.output, options.mode);
    this.#reads = new Reads(options.disk, options.output, options.pool, options.mode);
  }

  /** Requests under way. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Whether no more requests should be read for now. */
  get full(): boolean {
    return this.#pending.size >= this.#limits.requestsInFlight || this.#bytes + this.#output.pending >= this.#limits.bytesInFlight;
  }

  /** From now on requests are answered with ESHUTDOWN. */
  stop(): void {
    this.#stopping = true;
  }

  /** Answers what is under way with ESHUTDOWN; what the disk says of it later is not sent. */
  abandon(): void {
    for (const pending of this.#pending) {
      if (pending.answered) continue;
      pending.answered = true;
      this.#replier.failed(pending, shutdown());
    }
  }

  accept(header: RequestHeader): PayloadPlan {
    if (header.type === Command.DISC) {
      this.#options.disconnect();
      return "drop";
    }
    try {
      if (header.type === Command.WRITE) this.#checkWrite(header);
      else if (header.type === Command.BLOCK_STATUS) this.#checkStatusPayload(header);
      else this.#checkFlags(header);
      return "take";
    } catch (error) {
      if (header.payload > this.#limits.drain) return "fatal";
      this.#refusal = error;
      return "drop";
    }
  }

  refused(header: RequestHeader): void {
    if (header.type === Command.DISC) return;
    const error = this.#refusal;
    this.#refusal = undefined;
    const event = requestStart.hasSubscribers || requestEnd.hasSubscribers ? this.#event(header) : undefined;
    if (event !== undefined) requestStart.publish(event);
    this.#fail(header, error);
    if (event !== undefined) requestEnd.publish({ ...event, error });
  }

  allocate({ type, offset, payload }: RequestHeader): Uint8Array {
    // Received where it is to stay, a write of 256 KiB takes a quarter less time.
    const room = type === Command.WRITE && payload >= ROOM ? this.#disk.room?.(offset, payload) : undefined;
    if (room?.length === payload) return room;
    this.#allocated = this.#pool.take(payload);
    return this.#allocated;
  }

  request(header: RequestHeader, payload: Uint8Array | undefined, borrowed: boolean): void {
    if (requestStart.hasSubscribers || requestEnd.hasSubscribers) this.#observed(header, payload, borrowed);
    else this.#unobserved(header, payload, borrowed);
    // One packet may hold thousands of requests: the bounds are kept between any two of them.
    if (this.#output.queued >= SEND_NOW) this.#output.flush();
    if (this.full) this.#options.stopReading();
  }

  #unobserved(header: RequestHeader, payload: Uint8Array | undefined, borrowed: boolean): void {
    const allocated = this.#takeAllocated();
    let answer: Awaitable<Finish>;
    try {
      answer = this.#perform(header, payload, borrowed);
    } catch (error) {
      if (allocated !== undefined) this.#pool.give(allocated);
      this.#fail(header, error);
      return;
    }
    if (isPromise(answer)) this.#wait(header, answer, allocated, undefined);
    else if (allocated !== undefined) this.#pool.give(allocated);
  }

  /** The same with its events published. */
  #observed(header: RequestHeader, payload: Uint8Array | undefined, borrowed: boolean): void {
    const event = this.#event(header);
    requestStart.publish(event);
    const ended = (error: unknown): void => requestEnd.publish(error === undefined ? event : { ...event, error });
    const allocated = this.#takeAllocated();
    try {
      const answer = this.#perform(header, payload, borrowed);
      if (isPromise(answer)) {
        this.#wait(header, answer, allocated, ended);
        return;
      }
    } catch (error) {
      if (allocated !== undefined) this.#pool.give(allocated);
      this.#fail(header, error);
      ended(error);
      return;
    }
    if (allocated !== undefined) this.#pool.give(allocated);
    ended(undefined);
  }

  #event(header: RequestHeader): RequestEvent {
    return requestEvent(this.#options.connection, header, this.#extended ? header.exactLength : BigInt(header.length));
  }

  #takeAllocated(): Buffer | undefined {
    const allocated = this.#allocated;
    this.#allocated = undefined;
    return allocated;
  }

  /**
   * Has the disk do a request and writes the reply if the answer is at hand; else answers with a promise of what writes it. Throws, with
   * nothing written, what is to be the reply's error.
   */
  #perform(header: RequestHeader, payload: Uint8Array | undefined, borrowed: boolean): Awaitable<Finish> {
    const { type, offset, length } = header;
    if (type === Command.DISC) {
      this.#options.disconnect();
      return undefined;
    }
    if (type === Command.READ) {
      this.#checkFlags(header);
      if (length > this.#limits.read)
        throw new DiskError("EOVERFLOW", `a read of ${length} bytes: at most ${this.#limits.read} are served`);
      // The disk checks this too, but a large read takes a buffer before it asks the disk, and one of no bytes asks nobody.
      if (length === 0 || length > UNCHECKED) this.#checkRange("EINVAL", "read", offset, length);
      return this.#reads.read(header, length, (header.flags & CommandFlag.DF) !== 0);
    }
    if (type === Command.WRITE) {
      if (payload === undefined) this.#checkWrite(header);
      return this.#done(header, this.#write(header, payload ?? empty, borrowed));
    }
    this.#checkFlags(header);
    const bytes = this.#extended ? header.exactLength : BigInt(length);
    const fua = (header.flags & FUA) !== 0;
    switch (type) {
      case Command.FLUSH:
        if (offset !== 0n || length !== 0) throw new DiskError("EINVAL", "a flush has no offset and no length");
        if ((this.#options.flags & TransmissionFlag.SEND_FLUSH) === 0) throw new DiskError("EINVAL", "this export has nothing to flush");
        return this.#done(header, this.#disk.flush());
      case Command.TRIM:
        this.#checkWritable();
        return this.#done(header, this.#disk.trim(offset, bytes, writeFlags(fua)));
      case Command.CACHE:
        return this.#done(header, this.#disk.cache(offset, bytes));
      case Command.WRITE_ZEROES: {
        this.#checkWritable();
        const noHole = (header.flags & CommandFlag.NO_HOLE) !== 0;
        const fastZero = (header.flags & CommandFlag.FAST_ZERO) !== 0;
        return this.#done(header, this.#disk.zero(offset, bytes, zeroFlags(fua, noHole, fastZero)));
      }
      case Command.BLOCK_STATUS:
        return this.#blockStatus(header, payload, bytes);
      default:
        throw new DiskError("EINVAL", `command ${type} is not known here`);
    }
  }

  #done(header: RequestHeader, done: Awaitable<void>): Awaitable<Finish> {
    if (!isPromise(done)) {
      this.#replier.done(header);
      return undefined;
    }
    const later = requestId(header);
    return done.then(() => () => this.#replier.done(later));
  }

  #write(header: RequestHeader, payload: Uint8Array, borrowed: boolean): Awaitable<void> {
    const flags = writeFlags((header.flags & FUA) !== 0);
    if (!borrowed || !this.#writesLater) {
      const done = this.#disk.write(payload, header.offset, flags);
      this.#writesLater = isPromise(done);
      if (borrowed && this.#writesLater) this.#options.keepChunk();
      return done;
    }
    const own = this.#pool.take(payload.length);
    own.set(payload);
    const give = (): void => this.#pool.give(own);
    const done = this.#disk.write(own.subarray(0, payload.length), header.offset, flags);
    this.#writesLater = isPromise(done);
    if (!isPromise(done)) {
      give();
      return done;
    }
    return done.then(give, (error: unknown) => {
      give();
      throw error;
    });
  }

  #blockStatus(header: RequestHeader, payload: Uint8Array | undefined, bytes: bigint): Awaitable<Finish> {
    const { contexts, mode } = this.#options;
    if (contexts.length === 0) throw new DiskError("EINVAL", "no metadata context was negotiated");
    if (payload === undefined && (header.flags & CommandFlag.PAYLOAD_LEN) !== 0) throw wrongStatusPayload(0);
    let length = bytes;
    let ids = contexts.map((_, id) => id);
    if (payload !== undefined) {
      const body = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
      length = body.readBigUInt64BE(0);
      ids = [];
      for (let at = 8; at < body.length; at += 4) ids.push(body.readUInt32BE(at));
      const bad = ids.find((id, index) => id >= contexts.length || ids.indexOf(id) !== index);
      if (bad !== undefined) throw new DiskError("EINVAL", `context ${bad} was not negotiated or is asked for twice`);
      if (ids.length === 0) throw new DiskError("EINVAL", "no context is asked for");
    }
    if (length === 0n) {
      this.#checkRange("EINVAL", "list extents", header.offset, 0);
      // As a read of nothing: a reply of chunks without content.
      return this.#reads.read(header, 0, false);
    }
    const chunks = blockStatus(this.#disk, contexts, ids, mode, header, length, (header.flags & CommandFlag.REQ_ONE) !== 0);
    const finish = (arrived: readonly Buffer[]): void => {
      for (const chunk of arrived) this.#output.push(chunk);
    };
    if (isPromise(chunks)) return chunks.then((arrived) => () => finish(arrived));
    finish(chunks);
    return undefined;
  }

  #checkFlags({ flags, type }: RequestHeader): void {
    let mask = allowed[type];
    if (mask === undefined) throw new DiskError("EINVAL", `command ${type} is not known here`);
    if (this.#canFua) mask |= FUA;
    if (this.#options.mode === "simple") mask &= ~CommandFlag.DF;
    if (!this.#extended) mask &= ~CommandFlag.PAYLOAD_LEN;
    if ((this.#options.flags & TransmissionFlag.SEND_FAST_ZERO) === 0) mask &= ~CommandFlag.FAST_ZERO;
    if ((flags & ~mask) !== 0) throw new DiskError("EINVAL", `flags 0x${flags.toString(16)} are not all allowed for command ${type}`);
    if (this.#stopping) throw shutdown();
  }

  #checkWritable(): void {
    if (this.#options.readonly) throw new DiskError("EPERM", "the export is read-only");
  }

  /** All that can be said of a write before its payload is there. */
  #checkWrite(header: RequestHeader): void {
    this.#checkFlags(header);
    if (this.#extended && (header.flags & CommandFlag.PAYLOAD_LEN) === 0) throw new DiskError("EINVAL", "a write without PAYLOAD_LEN");
    this.#checkWritable();
    const { length, offset } = header;
    if (length > this.#limits.payload)
      throw new DiskError("EINVAL", `a write of ${length} bytes: at most ${this.#limits.payload} are taken`);
    this.#checkRange("ENOSPC", "write", offset, length);
  }

  #checkStatusPayload(header: RequestHeader): void {
    this.#checkFlags(header);
    if ((this.#options.flags & TransmissionFlag.BLOCK_STATUS_PAYLOAD) === 0)
      throw new DiskError("EINVAL", "no metadata context was negotiated");
    const { payload } = header;
    if (payload < 8 || payload > MAX_STATUS_PAYLOAD || payload % 4 !== 0) throw wrongStatusPayload(payload);
  }

  #fail(header: RequestHeader, error: unknown): void {
    this.#replier.failed(failing(header), error);
    if (requestError.hasSubscribers) requestError.publish({ ...this.#event(header), error });
  }

  /** Keeps count of a request until its answer is there. */
  #wait(
    header: RequestHeader,
    answer: PromiseLike<Finish>,
    allocated: Buffer | undefined,
    ended: ((error: unknown) => void) | undefined,
  ): void {
    const bytes = weightOf(header);
    const event = requestError.hasSubscribers ? this.#event(header) : undefined;
    const pending: Pending = { ...failing(header), bytes, answered: false };
    this.#pending.add(pending);
    this.#bytes += bytes;
    const over = (error: unknown): void => {
      this.#pending.delete(pending);
      this.#bytes -= bytes;
      if (allocated !== undefined) this.#pool.give(allocated);
      ended?.(error);
      this.#options.progressed();
    };
    answer.then(
      (finish) => {
        if (!pending.answered) finish?.();
        over(undefined);
      },
      (error: unknown) => {
        if (!pending.answered) this.#replier.failed(pending, error);
        if (event !== undefined) requestError.publish({ ...event, error });
        over(error);
      },
    );
  }
}

/** Writes a reply whose answer came later. */
type Finish = (() => void) | undefined;

const empty = new Uint8Array(0);

/** The bytes that a request under way counts for: those of its buffer, or about what a list of extents or a buffer of zeroes may take. */
function weightOf({ type, length, payload }: RequestHeader): number {
  if (type === Command.READ) return length;
  if (type === Command.BLOCK_STATUS) return STATUS_WEIGHT;
  if (type === Command.WRITE_ZEROES || type === Command.CACHE) return Math.min(length, SLICE_WEIGHT);
  return payload;
}

function failing({ cookieHigh, cookieLow, offset, length, type, flags }: RequestHeader): Failing {
  const fast = type === Command.WRITE_ZEROES && (flags & CommandFlag.FAST_ZERO) !== 0;
  const fragile = type === Command.READ && (flags & CommandFlag.DF) !== 0;
  return { cookieHigh, cookieLow, offset, length, ...(fast && { allows: "ENOTSUP" }), ...(fragile && { allows: "EOVERFLOW" }) };
}

function wrongStatusPayload(length: number): DiskError {
  return new DiskError("EINVAL", `a block-status payload of ${length} bytes: expected a length of 8 bytes and ids of 4 each`);
}

function shutdown(): DiskError {
  return new DiskError("ESHUTDOWN", "the server is shutting down");
}
