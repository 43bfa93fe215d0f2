// The memory behind the pages of a sparse disk: large buffers, filled from the front, never used twice, given up when enough of one is dead.

import { PAGE } from "./pages.ts";

const SLOT_BITS = 10;
/**
 * Pages of the largest slab: 32 MiB, from which on glibc's malloc always maps fresh memory. So a page that was written in part takes only what was
 * written, and a slab that is given up goes back to the operating system rather than to malloc.
 */
const LARGEST = 1 << SLOT_BITS;
/** Pages of the first slab: a small disk takes little. */
const SMALLEST = 32;
const DEAD = -1;
/** Bytes of slabs to give up before the garbage collector is called for, */
const LITTER = 64 * 1024 * 1024;
/** and of the buffer that calls for it: 64 MiB do on some of Node 20 to 26, 128 MiB on all. */
const CALL = 128 * 1024 * 1024;

interface Slab {
  readonly index: number;
  readonly bytes: Uint8Array;
  /** Which page of the disk each slot was given to; DEAD when it was freed. */
  readonly owners: Float64Array;
  /** Slots that were given out. */
  used: number;
  /** Slots of those that were not freed. */
  live: number;
}

/**
 * Gives out pages of zeroes, each known by an `id` above 0: adjacent ids of a slab are adjacent in memory. Freed pages are not given out again,
 * because somebody may still be sending them; {@link Slabs.compact} moves the living out of slabs that are mostly dead.
 */
export class Slabs {
  /** The most pages there can be. */
  readonly #limit: number;
  readonly #slabs: (Slab | undefined)[] = [undefined];
  readonly #unused: number[] = [];
  #current: Slab | undefined;
  #live = 0;
  #dead = 0;
  /** Bytes of slabs that were given up since the garbage collector was last called for. */
  #garbage = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Pages in use. */
  get live(): number {
    return this.#live;
  }

  /** The buffer that page `id` is in. */
  bytes(id: number): Uint8Array {
    return (this.#slabs[id >>> SLOT_BITS] as Slab).bytes;
  }

  /** Where in its buffer page `id` starts. */
  start(id: number): number {
    return (id & (LARGEST - 1)) * PAGE;
  }

  /** Whether page `next` comes right after page `id` in memory. */
  adjacent(id: number, next: number): boolean {
    return next === id + 1 && (next & (LARGEST - 1)) !== 0;
  }

  /**
   * Gives out a page of zeroes for page `owner` of the disk.
   *
   * @throws RangeError when there is no memory
   */
  allocate(owner: number): number {
    let slab = this.#current;
    if (slab === undefined || slab.used === slab.owners.length) slab = this.#next();
    const slot = slab.used++;
    slab.owners[slot] = owner;
    slab.live++;
    this.#live++;
    return (slab.index << SLOT_BITS) | slot;
  }

  /** Takes a page back. */
  free(id: number): void {
    const slab = this.#slabs[id >>> SLOT_BITS] as Slab;
    slab.owners[id & (LARGEST - 1)] = DEAD;
    slab.live--;
    this.#live--;
    this.#dead++;
    if (slab.live === 0 && (slab !== this.#current || this.#live === 0)) this.#drop(slab);
  }

  /** Whether more memory is dead than alive, beyond what one slab may hold. */
  get wasteful(): boolean {
    return this.#dead > this.#live + LARGEST;
  }

  /**
   * Moves up to `count` pages out of the slab that is emptiest. `moved` is told of each one's new id.
   *
   * @throws RangeError when there is no memory
   */
  compact(count: number, moved: (owner: number, id: number) => void): void {
    const slab = this.#emptiest();
    if (slab === undefined) return;
    for (let slot = 0, left = Math.min(count, slab.live); left > 0; slot++) {
      const owner = slab.owners[slot] as number;
      if (owner === DEAD) continue;
      const id = this.allocate(owner);
      this.bytes(id).set(slab.bytes.subarray(slot * PAGE, (slot + 1) * PAGE), this.start(id));
      moved(owner, id);
      this.free((slab.index << SLOT_BITS) | slot);
      left--;
    }
  }

  /** Whether enough was given up to call for the garbage collector. */
  get littered(): boolean {
    return this.#garbage >= LITTER;
  }

  /**
   * Has the garbage collector look for what was given up. V8 does so when many bytes of buffers have come, never because some have gone: the memory of
   * an idle server would stay taken for good (1067 MiB of 1067; 43 MiB with this). A buffer that nobody touches takes no memory.
   *
   * @throws RangeError when there is no memory
   */
  callCollector(): void {
    this.#garbage = 0;
    void new ArrayBuffer(CALL);
  }

  /** The slab with the fewest living pages, but for the one that is being filled. */
  #emptiest(): Slab | undefined {
    let best: Slab | undefined;
    for (const slab of this.#slabs) {
      if (slab !== undefined && slab !== this.#current && (best === undefined || slab.live < best.live)) best = slab;
    }
    return best;
  }

  /** Starts another slab, as large as all that is in use. */
  #next(): Slab {
    const pages = Math.min(Math.max(this.#live, SMALLEST), LARGEST, this.#limit);
    const bytes = new Uint8Array(pages * PAGE);
    const full = this.#current;
    const index = this.#unused.pop() ?? this.#slabs.length;
    const slab = { index, bytes, owners: new Float64Array(pages), used: 0, live: 0 };
    this.#slabs[index] = slab;
    this.#current = slab;
    if (full?.live === 0) this.#drop(full);
    return slab;
  }

  #drop(slab: Slab): void {
    this.#garbage += slab.bytes.length;
    this.#dead -= slab.used;
    this.#slabs[slab.index] = undefined;
    this.#unused.push(slab.index);
    if (this.#current === slab) this.#current = undefined;
  }
}
