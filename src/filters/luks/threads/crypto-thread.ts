// A thread that encrypts and decrypts sectors. It shares a memory with this one, in which each request under way has a place.

import { Worker } from "node:worker_threads";
import { CHUNK } from "../sector-kernel.ts";
import { webAssembly } from "../web-assembly.ts";
import { kernelBytes } from "../xts-kernel.ts";

/** What is to be done to some sectors. */
export interface Work {
  /** Whose keys. */
  readonly keys: ThreadKeys;
  readonly encrypt: boolean;
  readonly sectorSize: number;
  /** At most {@link PLACE} bytes. Untouched until the answer is there. */
  readonly source: Uint8Array;
  /** As long; may be the same. */
  readonly target: Uint8Array;
  /** Writes the IVs of the sectors. */
  readonly writeIvs: (ivs: Uint8Array) => void;
  /** Does the work on this thread, should the other one fail. */
  readonly instead: () => void;
}

/** An XTS key in shared memory: a message copies only where it is, and overwriting it leaves no copy. */
export type SharedKey = Uint8Array<SharedArrayBuffer>;

/** The key of a disk as threads know it. */
export interface ThreadKeys {
  readonly id: number;
  readonly key: SharedKey;
}

/** Bytes that are worked on in one go. */
export const PLACE: number = 256 * 1024;
/** Requests under way in one thread; more are done by the thread that asks. */
export const PLACES = 8;

const PAGE = 65_536;
const IVS = (PLACE / 512) * 16;
const STRIDE = PLACE + IVS;
const PAGES = Math.ceil((CHUNK + PLACES * STRIDE) / PAGE);

/**
 * What the thread runs. It is text, as a file of its own would have to be found by every bundler. Tests have threads that fail instead.
 *
 * It is told [id, key] once for a disk, [id] to forget it, and [id, place, length, sectorSize, encrypt] for each work, and answers [place].
 */
export const SCRIPT = `
const { createCipheriv, createDecipheriv } = require("node:crypto");
const { parentPort, workerData } = require("node:worker_threads");
const { module, memory, chunk, places, stride, room } = workerData;
const kernel = new WebAssembly.Instance(module, { env: { memory } }).exports;
const bytes = Buffer.from(memory.buffer);
const disks = new Map();

function addDisk(id, key) {
  const half = key.length / 2;
  const name = "aes-" + half * 8 + "-ecb";
  const content = key.subarray(0, half);
  disks.set(id, {
    tweak: createCipheriv(name, key.subarray(half), null).setAutoPadding(false),
    encrypt: createCipheriv(name, content, null).setAutoPadding(false),
    decrypt: createDecipheriv(name, content, null).setAutoPadding(false),
  });
}

function work({ tweak, encrypt, decrypt }, place, length, sectorSize, encrypting) {
  const cipher = encrypting ? encrypt : decrypt;
  const start = places + place * stride;
  let iv = start + room;
  const ivs = bytes.subarray(iv, iv + (length / sectorSize) * 16);
  ivs.fill(tweak.update(ivs));
  for (let at = start; at < start + length; at += chunk) {
    const end = Math.min(at + chunk, start + length);
    const nextIv = iv + ((end - at) / sectorSize) * 16;
    kernel.tweak(iv, nextIv, 0, at, sectorSize);
    const content = bytes.subarray(at, end);
    content.fill(cipher.update(content));
    kernel.xor(at, end, 0);
    iv = nextIv;
  }
}

parentPort.on("message", (message) => {
  const [id, second, ...rest] = message;
  if (message.length === 1) disks.delete(id);
  else if (message.length === 2) addDisk(id, second);
  else {
    work(disks.get(id), second, ...rest);
    parentPort.postMessage(second);
  }
});
parentPort.postMessage(-1);
`;

interface Job {
  readonly work: Work;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

let compiled: object | undefined;

/** One thread. It keeps the process alive only while it has work, and is of no use any more when it has failed: its work is then done here. */
export class CryptoThread {
  /** Settles when the thread takes work, or never will. */
  readonly started: Promise<void>;
  readonly #worker: Worker;
  readonly #bytes: Buffer;
  readonly #jobs: (Job | undefined)[] = [];
  /** Places that nobody uses; none before the thread has started. */
  readonly #free: number[] = [];
  readonly #known: Set<number> = new Set();
  #working = 0;
  #starting = true;
  #failed = false;

  /** @throws where there are no threads, or no memory that is shared with them */
  constructor(script: string) {
    const { Module, Memory } = webAssembly();
    const shared = { minimum: PAGES, shared: PAGES };
    compiled ??= new Module(kernelBytes(shared));
    const memory = new Memory({ initial: PAGES, maximum: PAGES, shared: true });
    this.#bytes = Buffer.from(memory.buffer);
    const workerData = { module: compiled, memory, chunk: CHUNK, places: CHUNK, stride: STRIDE, room: PLACE };
    // Without the options of this process: a loader or a debugger has nothing to do in there.
    this.#worker = new Worker(script, { eval: true, execArgv: [], workerData });
    this.started = new Promise((resolve) => {
      this.#worker.once("message", resolve).once("exit", resolve);
    });
    this.#worker.on("message", (place: number) => (place < 0 ? this.#start() : this.#done(place)));
    this.#worker.on("error", () => this.#fail());
    this.#worker.on("exit", () => this.#fail());
    // After the listeners, as adding one makes the process wait for messages.
    this.#worker.unref();
  }

  /** Whether it is not known yet if the thread will take work. */
  get starting(): boolean {
    return this.#starting;
  }

  /** How many works can be begun. */
  get free(): number {
    return this.#free.length;
  }

  /** Begins a work; there must be a free place. */
  begin(work: Work): Promise<void> {
    const place = this.#free.pop() as number;
    const { keys, encrypt, sectorSize, source, writeIvs } = work;
    const start = placeAt(place);
    copy(this.#bytes.subarray(start, start + source.length), source);
    writeIvs(this.#bytes.subarray(start + PLACE, start + PLACE + (source.length / sectorSize) * 16));
    if (this.#working === 0) this.#worker.ref();
    this.#working += 1;
    if (!this.#known.has(keys.id)) {
      this.#known.add(keys.id);
      this.#worker.postMessage([keys.id, keys.key]);
    }
    this.#worker.postMessage([keys.id, place, source.length, sectorSize, encrypt]);
    return new Promise((resolve, reject) => {
      this.#jobs[place] = { work, resolve, reject };
    });
  }

  /** Drops the keys of a disk that has no work under way any more, and what is left of all content. */
  forget(id: number): void {
    if (this.#known.delete(id)) this.#worker.postMessage([id]);
    for (const place of this.#free) this.#bytes.fill(0, placeAt(place), placeAt(place) + STRIDE);
  }

  /** Ends the thread; work under way is done here. */
  async end(): Promise<void> {
    this.#fail();
    await this.#worker.terminate();
    this.#bytes.fill(0);
  }

  #start(): void {
    this.#starting = false;
    if (!this.#failed) for (let place = PLACES - 1; place >= 0; place -= 1) this.#free.push(place);
  }

  #done(place: number): void {
    const job = this.#jobs[place];
    if (job === undefined) return;
    const { target } = job.work;
    copy(target, this.#bytes.subarray(placeAt(place), placeAt(place) + target.length));
    this.#jobs[place] = undefined;
    this.#free.push(place);
    this.#working -= 1;
    if (this.#working === 0) this.#worker.unref();
    job.resolve();
  }

  #fail(): void {
    this.#starting = false;
    this.#failed = true;
    this.#free.length = 0;
    for (const { work, resolve, reject } of this.#jobs.splice(0).filter((job) => job !== undefined)) {
      try {
        work.instead();
        resolve();
      } catch (error) {
        reject(error);
      }
    }
  }
}

/**
 * Copies as much as there is room for. For shared memory `set` makes no use of wide registers, and of single bytes where the addresses are odd:
 * 256 KiB take 17 µs and 110, this way 9.
 */
function copy(target: Uint8Array, source: Uint8Array): void {
  Buffer.prototype.fill.call(target, source);
}

function placeAt(place: number): number {
  return CHUNK + place * STRIDE;
}
