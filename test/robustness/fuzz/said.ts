// What requests are in a stream of bytes, read plainly: the whole stream is there.

/** A request. */
export interface RawRequest {
  readonly type: number;
  readonly flags: number;
  readonly cookie: bigint;
  readonly offset: bigint;
  readonly length: bigint;
  /** Bytes of its payload. */
  readonly payload: bigint;
}

/** What was said. */
export interface Said {
  /** Those that came whole, up to the end. */
  readonly requests: readonly RawRequest[];
  /** The client broke the protocol: after that nobody need answer any more what was still under way. */
  readonly finished: boolean;
  /** Where the requests begin. */
  readonly starts: readonly number[];
}

/** Reads requests up to the goodbye, or to what is none. */
export function readRequests(bytes: Buffer, extended: boolean, drain: number): Said {
  const header = extended ? 32 : 28;
  const magic = extended ? 0x21e41c71 : 0x25609513;
  const requests: RawRequest[] = [];
  const starts: number[] = [];
  for (let at = 0; bytes.length - at >= 4; ) {
    if (bytes.readUInt32BE(at) !== magic) return { requests, finished: false, starts };
    if (bytes.length - at < header) break;
    const flags = bytes.readUInt16BE(at + 4);
    const type = bytes.readUInt16BE(at + 6);
    const length = extended ? bytes.readBigUInt64BE(at + 24) : BigInt(bytes.readUInt32BE(at + 24));
    const carries = extended ? (flags & 0x20) !== 0 : type === 1;
    const payload = carries ? length : 0n;
    if (type === 2) return { requests, finished: true, starts };
    if (payload > BigInt(drain)) return { requests, finished: false, starts };
    if (bytes.length - at - header < Number(payload)) break;
    requests.push({ type, flags, cookie: bytes.readBigUInt64BE(at + 8), offset: bytes.readBigUInt64BE(at + 16), length, payload });
    starts.push(at);
    at += header + Number(payload);
  }
  return { requests, finished: true, starts };
}

/** Gives every request in a whole session a cookie of its own, wherever the transmission phase may begin. Changes `bytes`. */
export function renumber(bytes: Buffer, drain: number): void {
  let cookie = 1n;
  // A request is known by its magic: one within a payload is renumbered too, which does no harm.
  for (let at = 0; at + 28 <= bytes.length; ) {
    const magic = bytes.readUInt32BE(at);
    const extended = magic === 0x21e41c71;
    if (!extended && magic !== 0x25609513) {
      at += 1;
      continue;
    }
    const { starts } = readRequests(bytes.subarray(at), extended, drain);
    for (const start of starts) {
      bytes.writeBigUInt64BE(cookie, at + start + 8);
      cookie += 1n;
    }
    at += 4;
  }
}
