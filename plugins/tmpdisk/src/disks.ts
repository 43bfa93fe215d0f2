// The disks of a plugin: made for clients when they come, or ahead of them, within the quota.

import { channel } from "node:diagnostics_channel";
import { DiskError, type ErrorEvent, Turns } from "diskwright";
import type { Made, Maker } from "./make.ts";
import type { Settings } from "./options.ts";
import { Quota } from "./quota.ts";
import { tooLate } from "./run.ts";

/** So many are made at a time, however many clients come at once. */
const AT_ONCE = 16;

/** Where errors are told that nobody waits for. */
const serverError = channel("diskwright:server.error");

/** A client that waits for the disk that is being made ahead. */
interface Waiter {
  take(disk: Made): void;
  /** There will be none. */
  giveUp(): void;
}

/** Makes disks and keeps some ready. */
export class Disks {
  readonly #make: Maker;
  readonly #settings: Pick<Settings, "size" | "ready" | "timeout">;
  readonly #quota: Quota;
  readonly #turns = new Turns(AT_ONCE);
  readonly #ready: Made[] = [];
  /** What is being made, and what ends that. */
  readonly #making = new Map<AbortController, Promise<unknown>>();
  /** A disk is being made ahead. One at a time, so that clients who come now are not slowed down. */
  #filling = false;
  #waiter: Waiter | undefined;
  /** None is made ahead: the first has yet to show that it can be done, or the last could not be made. That is tried again once a client has got one. */
  #stalled = true;
  #closed = false;

  constructor(make: Maker, settings: Pick<Settings, "size" | "ready" | "timeout" | "maxTotal">) {
    this.#make = make;
    this.#settings = settings;
    this.#quota = new Quota(settings.maxTotal, () => this.#fill());
  }

  /** Makes the first of the disks that are kept ready, which shows that they can be made, and has the others made in the background. */
  async start(signal: AbortSignal): Promise<void> {
    if (this.#settings.ready === 0) return;
    this.#ready.push(await this.#makeOne(signal));
    this.#stalled = false;
    this.#fill();
  }

  /**
   * A disk for a client: one that is ready, or the one that will be next, or else one made now.
   *
   * @throws DiskError ENOSPC when the quota has no room; the signal's reason when that is aborted first
   */
  async take(signal: AbortSignal): Promise<Made> {
    signal.throwIfAborted();
    const disk = this.#ready.shift() ?? (await this.#next(signal)) ?? (await this.#makeOne(signal));
    this.#stalled = false;
    this.#fill();
    return disk;
  }

  /** Ends what is being made and puts away what is ready. The disks of clients are theirs. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const controller of this.#making.keys()) controller.abort(new DiskError("ESHUTDOWN", "the server is closing"));
    await Promise.allSettled(this.#making.values());
    const closed = await Promise.allSettled(this.#ready.splice(0).map((disk) => disk.close()));
    for (const result of closed) if (result.status === "rejected") throw result.reason;
  }

  /** The disk that is being made ahead, unless another client waits for it already, or it cannot be made. */
  #next(signal: AbortSignal): Promise<Made | undefined> | undefined {
    if (!this.#filling || this.#waiter !== undefined) return undefined;
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#waiter = undefined;
        signal.removeEventListener("abort", leave);
      };
      const leave = (): void => {
        done();
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiter = {
        take(disk) {
          done();
          resolve(disk);
        },
        giveUp() {
          done();
          resolve(undefined);
        },
      };
    });
  }

  #fill(): void {
    const { ready, size } = this.#settings;
    if (this.#filling || this.#stalled || this.#closed || this.#ready.length >= ready || !this.#quota.hasRoom(size)) return;
    this.#filling = true;
    void this.#fillOne();
  }

  async #fillOne(): Promise<void> {
    try {
      const disk = await this.#makeOne();
      if (this.#waiter !== undefined) this.#waiter.take(disk);
      else this.#ready.push(disk);
    } catch (error) {
      this.#stalled = true;
      this.#waiter?.giveUp();
      if (!this.#closed) report("making a disk ahead of its client", error);
    }
    this.#filling = false;
    this.#fill();
  }

  #makeOne(signal?: AbortSignal): Promise<Made> {
    const controller = new AbortController();
    const making = this.#makeFor(controller, signal);
    this.#making.set(controller, making);
    const forget = (): void => void this.#making.delete(controller);
    making.then(forget, forget);
    return making;
  }

  async #makeFor(controller: AbortController, signal: AbortSignal | undefined): Promise<Made> {
    const { size, timeout } = this.#settings;
    const share = this.#quota.take(size);
    const abort = (): void => controller.abort(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    try {
      const disk = await this.#turns.run(() => this.#inTime(controller, timeout), controller.signal);
      try {
        share.resize(disk.size);
        controller.signal.throwIfAborted();
      } catch (error) {
        await disk.close();
        throw error;
      }
      return {
        fd: disk.fd,
        size: disk.size,
        async close() {
          await disk.close();
          share.release();
        },
      };
    } catch (error) {
      share.release();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  async #inTime(controller: AbortController, timeout: number): Promise<Made> {
    if (timeout === Infinity) return this.#make(controller.signal);
    const timer = setTimeout(() => controller.abort(tooLate(timeout)), Math.min(timeout, LONGEST));
    try {
      return await this.#make(controller.signal);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A timer of the system takes no more than this. */
const LONGEST = 2 ** 31 - 1;

/** Tells of an error on the channel for that, or as a warning of the process where nobody listens. */
function report(during: string, error: unknown): void {
  const event: ErrorEvent = { during, error };
  if (serverError.hasSubscribers) serverError.publish(event);
  else process.emitWarning(`tmpdisk: ${during} failed: ${error instanceof Error ? error.message : String(error)}`, "DiskwrightWarning");
}
