// Argon2i and Argon2id, version 1.3 (RFC 9106, section 3.2).

import { blake2b } from "./blake2b.ts";
import { BLOCK, SCRATCH } from "./fill-kernel.ts";
import { FillThreads, type Job } from "./fill-threads.ts";

/** What Argon2 works on. */
export interface Argon2Input {
  readonly type: "argon2i" | "argon2id";
  readonly passes: number;
  /** KiB: at least 8 for each lane. */
  readonly memory: number;
  readonly lanes: number;
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  /** Bytes of the result. */
  readonly length: number;
  readonly secret?: Uint8Array;
  readonly associatedData?: Uint8Array;
}

const SLICES = 4;
const VERSION = 0x13;

/**
 * Argon2 in WebAssembly, in threads.
 *
 * @throws DiskError ENOMEM when there is too little memory; the signal's reason
 */
export async function argon2Own(input: Argon2Input, signal?: AbortSignal): Promise<Uint8Array> {
  const { type, passes, lanes, length } = input;
  const columns = Math.floor(input.memory / (SLICES * lanes)) * SLICES;
  const end = lanes * columns * BLOCK;
  const threads = new FillThreads(end + lanes * SCRATCH, lanes);
  try {
    const { memory } = threads;
    setFirstBlocks(memory, input, columns);
    for (let pass = 0; pass < passes; pass += 1) {
      for (let slice = 0; slice < SLICES; slice += 1) {
        const jobs = Array.from({ length: lanes }, (_, lane): Job => {
          return ["segment", pass, slice, lane, lanes, columns, passes, types[type], end + lane * SCRATCH];
        });
        await threads.run(jobs, signal);
      }
    }
    const last = new Uint8Array(BLOCK);
    for (let lane = 0; lane < lanes; lane += 1) {
      const block = memory.subarray(((lane + 1) * columns - 1) * BLOCK, (lane + 1) * columns * BLOCK);
      for (let i = 0; i < BLOCK; i += 1) last[i] = (last[i] as number) ^ (block[i] as number);
    }
    const tag = longHash(last, length);
    last.fill(0);
    await threads.run(
      Array.from({ length: lanes }, (_, lane): Job => ["wipe", lane * columns * BLOCK, (lane + 1) * columns * BLOCK]),
      signal,
    );
    return tag;
  } finally {
    await threads.end();
  }
}

const types = { argon2i: 1, argon2id: 2 } as const;

/** The first two blocks of each lane. */
function setFirstBlocks(memory: Uint8Array, input: Argon2Input, columns: number): void {
  const { type, passes, lanes, password, salt, length, secret = none, associatedData = none } = input;
  const numbers = [lanes, length, input.memory, passes, VERSION, types[type]].map(le32);
  const variable = [password, salt, secret, associatedData].flatMap((bytes) => [le32(bytes.length), bytes]);
  const seed = new Uint8Array(72);
  const whole = Buffer.concat([...numbers, ...variable]);
  seed.set(blake2b(whole, 64));
  whole.fill(0);
  for (let lane = 0; lane < lanes; lane += 1) {
    for (const column of [0, 1]) {
      seed.set(le32(column), 64);
      seed.set(le32(lane), 68);
      memory.set(longHash(seed, BLOCK), (lane * columns + column) * BLOCK);
    }
  }
  seed.fill(0);
}

const none = new Uint8Array(0);

/** H', a hash of any length (section 3.3). */
function longHash(message: Uint8Array, length: number): Uint8Array {
  const whole = Buffer.concat([le32(length), message]);
  if (length <= 64) return blake2b(whole, length);
  const result = new Uint8Array(length);
  let piece = blake2b(whole, 64);
  let at = 0;
  for (; length - at > 64; at += 32) {
    result.set(piece.subarray(0, 32), at);
    piece = blake2b(piece, Math.min(64, length - at - 32));
  }
  result.set(piece, at);
  return result;
}

function le32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
