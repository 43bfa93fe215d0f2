// Encrypts and decrypts for requests: small ones at once, large ones on threads while this one sees to the rest.

import type { Awaitable } from "../../../contract/awaitable.ts";
import { together } from "../../../contract/together.ts";
import type { SectorCipher } from "../sector-cipher.ts";
import { XtsCipher } from "../xts.ts";
import { PLACE, type SharedKey, type ThreadKeys, type Work } from "./crypto-thread.ts";
import { type CryptoThreads, cryptoThreads } from "./crypto-threads.ts";

/** Shorter requests take less time than handing them over. */
const LARGE = 64 * 1024;
/** A client that only looks at a disk does without threads. */
const PATIENCE = 4 * 1024 * 1024;

/** How a {@link BulkCipher} uses threads. */
export interface BulkOptions {
  /** As many as it may use at most. */
  readonly threads: number;
  readonly pool?: CryptoThreads;
  /** Bytes of large requests before a thread is started. */
  readonly patience?: number;
}

type Direction = "encrypt" | "decrypt";

/** The cipher of a disk, with or without threads. */
export class BulkCipher {
  readonly #cipher: SectorCipher;
  readonly #key: SharedKey;
  readonly #threads: number;
  readonly #pool: CryptoThreads;
  #patience: number;
  #keys: ThreadKeys | undefined;
  readonly #pending: Set<Promise<void>> = new Set();
  /** A large request has come in this turn of the event loop. */
  #inTurn = false;

  /** @param key - that of `cipher`; its own after the call */
  constructor(cipher: SectorCipher, key: Uint8Array, { threads, pool = cryptoThreads, patience = PATIENCE }: BulkOptions) {
    this.#cipher = cipher;
    this.#threads = threads;
    this.#pool = pool;
    this.#patience = patience;
    this.#key = new Uint8Array(new SharedArrayBuffer(key.length));
    this.#key.set(key);
  }

  /** As {@link SectorCipher.encrypt}. Until it is done `source` stays what it is, and `target` is nobody else's. */
  encrypt(target: Uint8Array, source: Uint8Array, sector: bigint): Awaitable<void> {
    return source.length < LARGE ? this.#cipher.encrypt(target, source, sector) : this.#large("encrypt", target, source, sector);
  }

  /** As {@link SectorCipher.decrypt}. Until it is done `source` stays what it is, and `target` is nobody else's. */
  decrypt(target: Uint8Array, source: Uint8Array, sector: bigint): Awaitable<void> {
    return source.length < LARGE ? this.#cipher.decrypt(target, source, sector) : this.#large("decrypt", target, source, sector);
  }

  /** Does without threads from now on, once the requests under way are done. */
  async leaveThreads(): Promise<void> {
    const keys = this.#keys;
    this.#keys = undefined;
    this.#patience = Infinity;
    await Promise.allSettled(this.#pending);
    this.#key.fill(0);
    if (keys !== undefined) await this.#pool.leave(keys);
  }

  /** Overwrites what is left of keys and content, once the requests under way are done. Later ones are still answered. */
  async wipe(): Promise<void> {
    await this.leaveThreads();
    this.#cipher.wipe();
  }

  #large(direction: Direction, target: Uint8Array, source: Uint8Array, sector: bigint): Awaitable<void> {
    const cipher = this.#cipher;
    if (this.#threads === 0 || this.#patience > 0 || !(cipher instanceof XtsCipher)) {
      this.#patience -= source.length;
      return cipher[direction](target, source, sector);
    }
    this.#keys ??= this.#pool.join(this.#key);
    const keys = this.#keys;
    const shared = source.length - this.#ownShare(source.length);
    const waits: Promise<void>[] = [];
    let end = 0;
    for (let at = 0; at < source.length; at = end) {
      const first = sector + BigInt(at / 512);
      end = at < shared ? Math.min(at + PLACE, shared) : source.length;
      const [to, from] = [target.subarray(at, end), source.subarray(at, end)];
      const work: Work = {
        keys,
        encrypt: direction === "encrypt",
        sectorSize: cipher.sectorSize,
        source: from,
        target: to,
        writeIvs: (ivs) => cipher.writeIvs(ivs, first),
        instead: () => cipher[direction](to, from, first),
      };
      const wait = at < shared ? this.#pool.begin(work, this.#threads) : undefined;
      if (wait !== undefined) waits.push(wait);
      else if (waits.length === 0) work.instead();
      // An error has to wait for the others, too.
      else waits.push(new Promise((resolve) => resolve(work.instead())));
    }
    if (waits.length === 0) return undefined;
    const done = waits.length === 1 ? (waits[0] as Promise<void>) : together(waits);
    this.#pending.add(done);
    return done.finally(() => this.#pending.delete(done));
  }

  /** Bytes of a request that are done here: some of one that comes alone, as who waits for nothing else wants it soonest. */
  #ownShare(length: number): number {
    const alone = !this.#inTurn && this.#pending.size === 0;
    if (!this.#inTurn) {
      this.#inTurn = true;
      queueMicrotask(() => {
        this.#inTurn = false;
      });
    }
    if (!alone) return 0;
    return length < 2 * LARGE ? length : Math.floor(length / 2 / LARGE) * LARGE;
  }
}
