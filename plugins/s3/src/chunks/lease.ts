// The lease of a chunked disk: an object that says who writes it. It is only ever changed on condition that it is as it was seen, so that of two who want
// it one gets it; and it holds for a while only, so that one who is gone does not have it for ever.

import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { hostname } from "node:os";
import { DiskError } from "diskwright";
import type { Settings } from "../options.ts";
import type { Bucket, Condition, SmallObject } from "../service/bucket.ts";
import type { Names } from "./names.ts";

/** What the object says. */
interface Content {
  /** Another one for each that has it. */
  readonly owner: string;
  /** Who that is, for people. */
  readonly holder: string;
  /** For how long it holds from when it was written; 0 when it was given back. */
  readonly seconds: number;
  /** Another one for each time it is written. */
  readonly renewal: number;
}

const FORMAT = "diskwright lease";
/** The service's clock knows seconds, and so may be wrong by as much. */
const COARSE = 1000;
/** Who comes too late so often is not let in by chance. */
const MANY = 10;

/**
 * A lease that is held. Its time runs by this machine's own clock from before the request that renewed it, and for others from when that request arrived, so
 * that no two clocks have to agree. After two thirds of it nothing is written any more; the last third is for what is on its way.
 */
export class Lease {
  readonly #bucket: Bucket;
  readonly #key: string;
  readonly #settings: Settings;
  readonly #owner: string = randomUUID();
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  #etag = "";
  #renewal = 0;
  /** When it was last known to be held, by our clock. */
  #since = 0;
  #work: Promise<unknown> = Promise.resolve();

  private constructor(bucket: Bucket, names: Names, settings: Settings) {
    this.#bucket = bucket;
    this.#key = names.lease;
    this.#settings = settings;
    setMaxListeners(0, this.#lost.signal);
  }

  /**
   * Takes the lease, and keeps it until it is released or lost.
   *
   * @throws DiskError EBUSY when somebody else has it; ENOTSUP when the service has no conditional writes
   */
  static async take(bucket: Bucket, names: Names, settings: Settings, signal: AbortSignal): Promise<Lease> {
    const lease = new Lease(bucket, names, settings);
    await lease.#take(signal);
    lease.#work = Promise.all([lease.#renew(), lease.#watch()]);
    return lease;
  }

  /** Aborted, with an error that says why, when the lease is lost: what is being written must end. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Throws EIO when nothing may be written any more. */
  check(): void {
    if (this.#lost.signal.aborted) throw this.#lost.signal.reason;
    const { clock, leaseTime } = this.#settings;
    if (clock.now() - this.#since >= (leaseTime * 2) / 3) throw this.#late();
  }

  /** Gives it back, so that somebody else can have it at once. */
  async release(): Promise<void> {
    this.#stop.abort();
    await this.#work;
    if (this.#lost.signal.aborted) return;
    // If that fails it ends by itself.
    await this.#put(0, { ifMatch: this.#etag }, this.#lost.signal).catch(() => undefined);
  }

  async #take(signal: AbortSignal): Promise<void> {
    const { clock, leaseTime, leaseWait } = this.#settings;
    const began = clock.now();
    const seen = new Map<string, number>();
    for (let conflicts = 0; conflicts < MANY; ) {
      const found = await this.#bucket.readSmall(this.#key, signal, true);
      const left = found === undefined ? 0 : this.#left(found, seen);
      if (left <= 0) {
        this.#since = clock.now();
        if (await this.#put(leaseTime / 1000, found === undefined ? { ifNoneMatch: "*" } : { ifMatch: found.etag }, signal)) {
          await this.#proveConditions(signal);
          return;
        }
        conflicts += 1;
        continue;
      }
      if (clock.now() - began >= leaseWait) throw this.#busy(found as SmallObject, left);
      await clock.sleep(Math.min(left, 1000, leaseWait), signal);
    }
    throw new DiskError(
      "EBUSY",
      `the lease ${this.#bucket.nameOf(this.#key)} could not be taken: others take it each time that it is free`,
    );
  }

  /** Milliseconds for which somebody else has it. */
  #left(found: SmallObject, seen: Map<string, number>): number {
    const { seconds } = this.#parse(found.text);
    if (seconds === 0) return 0;
    const now = this.#settings.clock.now();
    const first = seen.get(found.etag) ?? now;
    seen.set(found.etag, first);
    return seconds * 1000 + COARSE - Math.max(now - first, found.age ?? 0);
  }

  /** A service that does not know conditions writes whatever they say: then a lease is none. */
  async #proveConditions(signal: AbortSignal): Promise<void> {
    const content = this.#content(this.#settings.leaseTime / 1000);
    if ((await this.#bucket.writeIf(this.#key, content, { ifNoneMatch: "*" }, signal)) === "conflict") return;
    await this.#bucket.delete([this.#key], signal);
    throw new DiskError(
      "ENOTSUP",
      `the service ignores conditions of writes (If-None-Match), so that ${this.#bucket.nameOf(this.#key)} cannot keep a second writer out: ` +
        "see to it yourself that there is only one, and switch the lease off (lease)",
    );
  }

  /** Renews it three times as often as need be, until it is released or lost. */
  async #renew(): Promise<void> {
    const { clock, leaseTime } = this.#settings;
    const stop = AbortSignal.any([this.#stop.signal, this.#lost.signal]);
    while (!stop.aborted) {
      try {
        await clock.sleep(leaseTime / 6, stop);
        const now = clock.now();
        if (await this.#put(leaseTime / 1000, { ifMatch: this.#etag }, this.#lost.signal)) this.#since = now;
        else this.#lose(`somebody else took the lease ${this.#bucket.nameOf(this.#key)}`);
      } catch {
        // Tried again until it is too late, or stopped.
      }
    }
  }

  /** Ends what is being written when the lease was not renewed in time. */
  async #watch(): Promise<void> {
    const { clock, leaseTime } = this.#settings;
    const stop = AbortSignal.any([this.#stop.signal, this.#lost.signal]);
    while (!stop.aborted) {
      const left = this.#since + leaseTime - clock.now();
      if (left <= 0) this.#lose(this.#late().message);
      else await clock.sleep(left, stop).catch(() => undefined);
    }
  }

  #lose(why: string): void {
    this.#lost.abort(new DiskError("EIO", `${why}: nothing is written any more until the disk is opened again`));
  }

  #late(): DiskError {
    const { leaseTime } = this.#settings;
    return new DiskError("EIO", `the lease ${this.#bucket.nameOf(this.#key)} could not be renewed within ${(leaseTime * 2) / 3000} s`);
  }

  /** Writes the object; false when it is not as it was seen. */
  async #put(seconds: number, condition: Condition, signal: AbortSignal): Promise<boolean> {
    this.#renewal += 1;
    const content = this.#content(seconds);
    const written = await this.#bucket.writeIf(this.#key, content, condition, signal);
    if (written !== "conflict") {
      this.#etag = written.etag;
      return true;
    }
    // It may have been us, if the answer to an attempt was lost.
    const found = await this.#bucket.readSmall(this.#key, signal, true);
    if (found === undefined || this.#parse(found.text).owner !== this.#owner) return false;
    this.#etag = found.etag;
    return this.#parse(found.text).renewal === this.#renewal ? true : this.#put(seconds, { ifMatch: found.etag }, signal);
  }

  #content(seconds: number): Buffer {
    const content: Content = { owner: this.#owner, holder: `${hostname()}, process ${process.pid}`, seconds, renewal: this.#renewal };
    return Buffer.from(`${JSON.stringify({ format: FORMAT, ...content })}\n`);
  }

  #parse(text: string): Content {
    try {
      const content = JSON.parse(text) as Content & { readonly format: string };
      if (content.format === FORMAT && Number.isFinite(content.seconds)) return content;
    } catch {
      // Said below.
    }
    throw new DiskError(
      "EINVAL",
      `${this.#bucket.nameOf(this.#key)} is no lease that this version understands: remove it if nobody writes the disk`,
    );
  }

  #busy(found: SmallObject, left: number): DiskError {
    const { holder } = this.#parse(found.text);
    return new DiskError(
      "EBUSY",
      `the disk is being written by ${holder}, whose lease ${this.#bucket.nameOf(this.#key)} ends in ${Math.ceil(left / 1000)} s unless it is renewed: ` +
        "open it read-only, or wait (leaseWait)",
    );
  }
}
