// A disk that is opened anew when one of its requests fails: one reopening for all requests, which are then made again.

import { setMaxListeners } from "node:events";
import { type Awaitable, isPromise } from "../../contract/awaitable.ts";
import type { Clock } from "../../contract/clock.ts";
import type { Disk } from "../../contract/disk.ts";
import { DiskError, errorCode } from "../../contract/error.ts";
import { failAfter } from "../../contract/every-step.ts";
import type { ZeroFlags } from "../../contract/flags.ts";
import { openLayer } from "../../contract/open.ts";
import type { OpenRequest, Plugin } from "../../contract/plugin.ts";

/** How often, and how soon. */
export interface RetryPolicy {
  readonly retries: number;
  /** Milliseconds before the first retry. */
  readonly delay: number;
  /** Each wait is twice as long as the one before. */
  readonly exponential: boolean;
  /** After the first failure nothing is written any more. */
  readonly readonly: boolean;
  readonly clock: Clock;
}

/** What is opened at the moment. */
interface Generation {
  readonly disk: Disk;
  /** Ends what the plugin does for it. */
  readonly controller: AbortController;
}

type Call<T, A, B, C> = (disk: Disk, a: A, b: B, c: C) => Awaitable<T>;

/** One client's disk. */
export class Reopening {
  readonly #next: Plugin;
  readonly #request: OpenRequest;
  readonly #policy: RetryPolicy;
  #size = 0n;
  #current: Generation | undefined;
  #recovering: Promise<void> | undefined;
  /** How many changes there were, and how many of them are known to be on stable storage. */
  #changes = 0;
  #flushed = 0;
  /** What failed in closing a disk with such writes: the next flush tells, or closing. */
  #lost: unknown;
  /** Nothing is written any more. */
  #readonly = false;

  constructor(next: Plugin, request: OpenRequest, policy: RetryPolicy) {
    this.#next = next;
    this.#request = request;
    this.#policy = policy;
  }

  /** Opens the disk for the first time, which is not tried again: the client may have asked for what is not there. */
  async open(): Promise<Disk> {
    this.#current = await this.#openNext();
    this.#size = this.#current.disk.size;
    return this.#current.disk;
  }

  /** The disk, unless it is being opened anew. */
  get disk(): Disk | undefined {
    return this.#recovering === undefined ? this.#current?.disk : undefined;
  }

  /** Makes a request, again and again if need be. Spelled out arguments, so that one that succeeds at once makes no closure. */
  call<T, A, B, C>(call: Call<T, A, B, C>, a: A, b: B, c: C): Awaitable<T> {
    const generation = this.#current;
    if (this.#recovering !== undefined || generation === undefined)
      return this.#again(call, a, b, c, generation, new DiskError("EIO", "the disk could not be opened again"));
    let answer: Awaitable<T>;
    try {
      answer = call(generation.disk, a, b, c);
    } catch (error) {
      return this.#again(call, a, b, c, generation, error);
    }
    return isPromise(answer) ? answer.then(undefined, (error: unknown) => this.#again(call, a, b, c, generation, error)) : answer;
  }

  /** The same for what changes the disk. */
  change<A, B, C>(call: Call<void, A, B, C>, a: A, b: B, c: C): Awaitable<void> {
    if (this.#readonly) throw new DiskError("EPERM", "the disk is read-only since it was opened again after a failure");
    this.#changes += 1;
    return this.call(call, a, b, c);
  }

  flush(): Awaitable<void> {
    this.#tellLost();
    const changes = this.#changes;
    const answer = this.call(flushOf, undefined, undefined, undefined);
    return isPromise(answer) ? answer.then(() => this.#settle(changes)) : this.#settle(changes);
  }

  /** So many changes are on stable storage, unless the disk was opened anew meanwhile and lost some. */
  #settle(changes: number): void {
    this.#flushed = Math.max(this.#flushed, changes);
    this.#tellLost();
  }

  /** Closes what is open. */
  async close(): Promise<void> {
    await this.#current?.disk.close();
    this.#tellLost();
  }

  #tellLost(): void {
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost !== undefined) throw lost;
  }

  async #again<T, A, B, C>(call: Call<T, A, B, C>, a: A, b: B, c: C, failed: Generation | undefined, failure: unknown): Promise<T> {
    let generation = failed;
    let error = failure;
    for (let attempt = 0; attempt < this.#policy.retries; attempt += 1) {
      if (this.#request.signal.aborted || isAnswer(error, c)) break;
      try {
        // Another request may have seen to it already.
        const other = this.#current !== undefined && generation !== this.#current;
        if (!other || this.#recovering !== undefined) await this.#recover(attempt);
        generation = this.#current;
        if (generation !== undefined) return await call(generation.disk, a, b, c);
      } catch (next) {
        error = next;
      }
    }
    throw error;
  }

  /** One for all who wait. */
  #recover(attempt: number): Promise<void> {
    this.#recovering ??= this.#reopen(attempt).finally(() => {
      this.#recovering = undefined;
    });
    return this.#recovering;
  }

  async #reopen(attempt: number): Promise<void> {
    const { delay, exponential, clock, readonly } = this.#policy;
    await this.#abandon();
    this.#readonly ||= readonly;
    await clock.sleep(exponential ? delay * 2 ** attempt : delay, this.#request.signal);
    const next = await this.#openNext();
    if (next.disk.size !== this.#size) {
      const changed = new DiskError("EIO", `the disk has ${next.disk.size} bytes since it was opened again: it had ${this.#size}`);
      return failAfter(changed, next.disk.close);
    }
    this.#current = next;
  }

  /** Closes the disk that failed; what is still under way there ends, and is made again like the rest. */
  async #abandon(): Promise<void> {
    const old = this.#current;
    if (old === undefined) return;
    this.#current = undefined;
    old.controller.abort(new DiskError("EIO", "the disk is opened again"));
    try {
      await old.disk.close();
    } catch (error) {
      // A broken disk may well fail to close. It matters only to those whose writes it may have had in its hands.
      if (this.#changes > this.#flushed) this.#lost ??= error;
    }
  }

  async #openNext(): Promise<Generation> {
    const controller = new AbortController();
    const signal = AbortSignal.any([this.#request.signal, controller.signal]);
    setMaxListeners(0, signal);
    const { exportName, peer, tls } = this.#request;
    const request: OpenRequest = {
      exportName,
      peer,
      tls,
      readonly: this.#request.readonly || this.#readonly,
      signal,
      disconnect: (options) => this.#request.disconnect(options),
    };
    return { disk: await openLayer(this.#next, request), controller };
  }
}

const flushOf = (disk: Disk): Awaitable<void> => disk.flush();

/** Whether an error is no failure but an answer: zeroing was to be fast, and is not. */
function isAnswer(error: unknown, flags: unknown): boolean {
  const code = errorCode(error);
  const fast = (flags as Partial<ZeroFlags> | undefined)?.fastZero === true;
  return fast && (code === "ENOTSUP" || code === "EOPNOTSUPP");
}
