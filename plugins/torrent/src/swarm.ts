// The BitTorrent client as seen from here: a thread that is told what is wanted, and tells what is there.

import { Worker } from "node:worker_threads";
import { DiskError } from "diskwright";
import type { ClientOptions, Order, Report, Status } from "./messages.ts";
import { type Metainfo, parseMetainfo } from "./metainfo/metainfo.ts";

/** How long trackers are waited for when the thread ends. */
const GOODBYE = 2000;
/** Megabytes: rubbish that strangers have us keep ends the thread and not the process. */
const MEMORY = 512;

interface Waiting {
  /** How many pieces it still waits for. */
  readonly left: () => number;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** What it waits for, as an error says it. */
  readonly what: () => string;
  /** When something arrived last. */
  since: number;
}

/** A torrent that is being downloaded. */
export class Swarm {
  /** What the torrent is, once that is known. */
  metainfo: Metainfo | undefined;
  /** Whether what was in the folder has been verified. */
  checked = false;
  /** Called when something has changed. */
  changed: (() => void) | undefined;
  /** Why it does not go on. */
  failure: DiskError | undefined;
  status: Status = {
    peers: 0,
    known: 0,
    received: 0,
    sent: 0,
    downloadSpeed: 0,
    uploadSpeed: 0,
    advance: 0,
    trouble: undefined,
  };
  readonly #worker: Worker;
  readonly #timeout: number;
  readonly #waiting = new Set<Waiting>();
  #verified = new Uint8Array(0);
  #ids = 0;
  #closed: (() => void) | undefined;
  #closing = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param timeout - milliseconds that requests wait while nothing arrives
   * @param log - told what went wrong and did not end it
   */
  constructor(options: ClientOptions, timeout: number, log: (text: string) => void) {
    this.#timeout = timeout;
    if (options.metainfo !== undefined) this.#learn(options.metainfo);
    // Spelled so that bundlers see it.
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), {
      workerData: options,
      execArgv: [],
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY },
    });
    for (const stream of [this.#worker.stdout, this.#worker.stderr]) stream.on("data", (chunk) => log(String(chunk).trimEnd()));
    this.#worker.on("message", (report: Report) => this.#hear(report, log));
    this.#worker.on("error", (error) => this.#fail(error.message));
    this.#worker.on("exit", () => {
      this.#fail("its thread ended");
      this.#closed?.();
    });
  }

  /** Whether all these pieces are there. */
  has(from: number, to: number): boolean {
    for (let piece = from; piece <= to; piece += 1) if (this.#verified[piece] !== 1) return false;
    return true;
  }

  /** How many of these pieces are there. */
  count(from: number, to: number): number {
    let count = 0;
    for (let piece = from; piece <= to; piece += 1) count += this.#verified[piece] as number;
    return count;
  }

  /** Waits until these pieces are there. */
  async need(from: number, to: number, signal: AbortSignal): Promise<void> {
    const first = this.#firstMissing(from, to);
    if (first === undefined) return;
    let last = to;
    while (this.#verified[last] === 1) last -= 1;
    const id = this.select(first, last, true);
    let at = first;
    const left = (): number => {
      at = this.#firstMissing(at, last) ?? last + 1;
      return last + 1 - at;
    };
    try {
      await this.#wait(left, () => `piece ${at} of ${this.metainfo?.pieceCount} has not arrived`, signal);
    } finally {
      this.deselect(id);
    }
  }

  /** Waits until it is known what the torrent is. */
  async known(signal: AbortSignal): Promise<Metainfo> {
    if (this.metainfo === undefined) {
      await this.#wait(
        () => (this.metainfo === undefined ? 1 : 0),
        () => "no peer has told what it is",
        signal,
      );
    }
    return this.metainfo as Metainfo;
  }

  /** Has pieces downloaded; answers with a number for {@link deselect}. */
  select(from: number, to: number, urgent: boolean): number {
    this.#ids += 1;
    this.#order({ type: "select", id: this.#ids, from, to, urgent });
    return this.#ids;
  }

  /** Pieces that were selected are not wanted any more. */
  deselect(id: number): void {
    this.#order({ type: "deselect", id });
  }

  /** Ends the thread, and with it every connection; trackers are told where they answer soon. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    this.#end(new DiskError("ESHUTDOWN", "the torrent is closed"));
    if (this.failure === undefined || this.failure.code === "ESHUTDOWN") {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, GOODBYE);
        this.#closed = () => {
          clearTimeout(timer);
          resolve();
        };
        this.#order({ type: "close" });
      });
    }
    await this.#worker.terminate();
  }

  #hear(report: Report, log: (text: string) => void): void {
    switch (report.type) {
      case "metainfo":
        this.#learn(report.bytes);
        this.#arrived();
        break;
      case "verified":
        this.#verified[report.piece] = 1;
        this.#arrived();
        break;
      case "checked":
        this.checked = true;
        this.#arrived();
        break;
      case "status": {
        const { type: _, ...status } = report;
        if (status.advance !== this.status.advance) this.#arrived();
        this.status = status;
        this.changed?.();
        break;
      }
      case "warning":
        log(report.text);
        break;
      case "failed":
        this.#fail(report.text);
        break;
      case "closed":
        this.#closed?.();
        break;
      case "listening":
        log(`listening for peers at port ${report.port}`);
        break;
    }
    // Those who have what they waited for may go.
    for (const { left, resolve } of this.#waiting) if (left() === 0) resolve();
  }

  /** Something came: all have reason to wait on. */
  #arrived(): void {
    const now = performance.now();
    for (const waiting of this.#waiting) waiting.since = now;
  }

  #learn(bytes: Uint8Array): void {
    this.metainfo = parseMetainfo(bytes);
    this.#verified = new Uint8Array(this.metainfo.pieceCount);
  }

  #wait(left: () => number, what: () => string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) return reject(this.failure);
      if (signal.aborted) return reject(signal.reason);
      const end = (): void => {
        this.#waiting.delete(waiting);
        this.#unwatch(signal);
        if (this.#waiting.size > 0) return;
        clearInterval(this.#timer);
        this.#timer = undefined;
      };
      const waiting: Waiting = {
        left,
        what,
        signal,
        since: performance.now(),
        resolve: () => {
          end();
          resolve();
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      this.#watch(signal);
      this.#waiting.add(waiting);
      this.#timer ??= setInterval(() => this.#expire(), Math.min(250, Math.ceil(this.#timeout / 4)));
    });
  }

  /** One listener for all that a client waits for. */
  #watch(signal: AbortSignal): void {
    if ([...this.#waiting].some((waiting) => waiting.signal === signal)) return;
    signal.addEventListener("abort", this.#abort, { once: true });
  }

  #unwatch(signal: AbortSignal): void {
    if ([...this.#waiting].some((waiting) => waiting.signal === signal)) return;
    signal.removeEventListener("abort", this.#abort);
  }

  readonly #abort = ({ target }: Event): void => {
    for (const { signal, reject } of [...this.#waiting]) if (signal === target) reject(signal.reason as Error);
  };

  #expire(): void {
    const now = performance.now();
    for (const { since, what, reject } of this.#waiting) {
      // While a folder is being verified, nothing is asked of peers.
      if (now - since < this.#timeout || (this.metainfo !== undefined && !this.checked)) continue;
      const { peers, known, trouble } = this.status;
      const found = known === 0 ? "no peers were found" : `${known} peers were found, ${peers} of them are connected`;
      const why = trouble === undefined ? "" : `; ${trouble}`;
      reject(new DiskError("ETIMEDOUT", `the torrent stands still: ${what()} within ${this.#timeout / 1000} s; ${found}${why}`));
    }
  }

  #firstMissing(from: number, to: number): number | undefined {
    for (let piece = from; piece <= to; piece += 1) if (this.#verified[piece] !== 1) return piece;
    return undefined;
  }

  #order(order: Order): void {
    this.#worker.postMessage(order);
  }

  #fail(text: string): void {
    if (!this.#closing) this.#end(new DiskError("EIO", `the torrent cannot be downloaded any further: ${text}`));
  }

  #end(error: DiskError): void {
    this.failure ??= error;
    for (const { reject } of [...this.#waiting]) reject(error);
  }
}
