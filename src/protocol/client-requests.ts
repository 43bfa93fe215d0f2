// A client's requests: what is on the wire, and what is remembered until the reply has come.

import type { StatusExtent } from "../contract/connection.ts";
import { DiskError } from "../contract/error.ts";
import type { Gaps } from "./client-gaps.ts";
import { Command, EXTENDED_REQUEST_MAGIC, EXTENDED_REQUEST_SIZE, REQUEST_MAGIC, REQUEST_SIZE } from "./constants.ts";

/** A request from when it is made until it is settled. */
export class PendingRequest {
  readonly command: number;
  readonly flags: number;
  readonly offset: bigint;
  /** `offset` as it stands on the wire. */
  readonly offsetHigh: number;
  readonly offsetLow: number;
  /** Bytes of the range. */
  readonly length: number | bigint;
  /** Where a read's bytes go. */
  readonly target: Uint8Array | undefined;
  /** Which context a block status is about. */
  readonly contextId: number | undefined;
  readonly resolve: (extents: StatusExtent[] | undefined) => void;
  readonly reject: (error: unknown) => void;

  /** Set by the connection that it goes out on. */
  cookieHigh = 0;
  cookieLow = 0;
  /** Milliseconds of `performance.now()`, where there is a limit. */
  sent = 0;

  /** What has come of the reply so far. */
  replied = false;
  error: DiskError | undefined;
  /** All bytes of the read have come. */
  complete = false;
  /** Those that have not, once some have. */
  gaps: Gaps | undefined;
  extents: StatusExtent[] | undefined;
  /** Contexts that a block status told of. */
  contextsSeen: number[] | undefined;

  constructor(
    command: number,
    flags: number,
    offset: bigint,
    length: number | bigint,
    target: Uint8Array | undefined,
    contextId: number | undefined,
    resolve: (extents: StatusExtent[] | undefined) => void,
    reject: (error: unknown) => void,
  ) {
    this.command = command;
    this.flags = flags;
    this.offset = offset;
    const near = Number(offset);
    // Below 2^53 a number is exact, and faster than halving a bigint.
    if (near <= Number.MAX_SAFE_INTEGER) {
      this.offsetHigh = Math.floor(near / 0x100000000);
      this.offsetLow = near % 0x100000000;
    } else {
      this.offsetHigh = Number(offset >> 32n);
      this.offsetLow = Number(offset & 0xffffffffn);
    }
    this.length = length;
    this.target = target;
    this.contextId = contextId;
    this.resolve = resolve;
    this.reject = reject;
  }

  /** Where an offset of the server's lies in the range; nonsense comes out as a number outside it. */
  relative(high: number, low: number): number {
    return (high - this.offsetHigh) * 0x100000000 + (low - this.offsetLow);
  }

  /** An error about this request. */
  failure(code: string, why: string, options: { offset?: bigint; cause?: unknown } = {}): DiskError {
    return new DiskError(code, `cannot ${this.wish()}: ${why}`, options);
  }

  /** The request in words. */
  wish(): string {
    const range = `${this.length} bytes at ${this.offset}`;
    switch (this.command) {
      case Command.READ:
        return `read ${range}`;
      case Command.WRITE:
        return `write ${range}`;
      case Command.FLUSH:
        return "flush";
      case Command.TRIM:
        return `trim ${range}`;
      case Command.CACHE:
        return `cache ${range}`;
      case Command.WRITE_ZEROES:
        return `zero ${range}`;
      case Command.BLOCK_STATUS:
        return `list the extents of ${range}`;
      default:
        return `do command ${this.command} on ${range}`;
    }
  }
}

/** Bytes of a request header. */
export function requestSize(extended: boolean): number {
  return extended ? EXTENDED_REQUEST_SIZE : REQUEST_SIZE;
}

/**
 * Writes a request header at `at`; returns where it ends.
 *
 * @param length - bytes of the range, or of the payload that follows; below 2^32 unless `extended`
 */
export function putRequest(
  buffer: Buffer,
  at: number,
  extended: boolean,
  request: PendingRequest,
  flags: number,
  length: number | bigint,
): number {
  buffer.writeUInt32BE(extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC, at);
  buffer.writeUInt16BE(flags, at + 4);
  buffer.writeUInt16BE(request.command, at + 6);
  buffer.writeUInt32BE(request.cookieHigh, at + 8);
  buffer.writeUInt32BE(request.cookieLow, at + 12);
  buffer.writeUInt32BE(request.offsetHigh, at + 16);
  buffer.writeUInt32BE(request.offsetLow, at + 20);
  if (!extended) {
    buffer.writeUInt32BE(Number(length), at + 24);
    return at + REQUEST_SIZE;
  }
  buffer.writeBigUInt64BE(BigInt(length), at + 24);
  return at + EXTENDED_REQUEST_SIZE;
}
