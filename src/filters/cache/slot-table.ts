// Which block is in which slot of the cache, and which slots have not been used for longest.

/** No slot, as slots begin later: the ends of the list. */
const NONE = 0;

/** The slots in use, as a list in the order of their last use. Plain arrays of numbers: a cache may have millions of blocks. */
export class SlotTable {
  #blocks: Float64Array = new Float64Array(1024);
  #older: Uint32Array = new Uint32Array(1024);
  #newer: Uint32Array = new Uint32Array(1024);
  #oldest: number = NONE;
  #newest: number = NONE;
  #count = 0;

  /** How many are in use. */
  get count(): number {
    return this.#count;
  }

  /** Puts a block into a slot, as the one used last. */
  add(slot: number, block: number): void {
    if (slot >= this.#blocks.length) this.#grow(slot);
    this.#blocks[slot] = block;
    this.#append(slot);
    this.#count += 1;
  }

  /** A slot has been used. */
  touch(slot: number): void {
    if (slot === this.#newest) return;
    this.#unlink(slot);
    this.#append(slot);
  }

  /** A slot is not in use any more. */
  remove(slot: number): void {
    this.#unlink(slot);
    this.#count -= 1;
  }

  /** The blocks in the order of their last use, the oldest first. The one that it is at may be removed meanwhile. */
  *oldest(): Generator<{ readonly slot: number; readonly block: number }> {
    for (let slot = this.#oldest; slot !== NONE; ) {
      const next = this.#newer[slot] as number;
      yield { slot, block: this.#blocks[slot] as number };
      slot = next;
    }
  }

  #append(slot: number): void {
    this.#older[slot] = this.#newest;
    this.#newer[slot] = NONE;
    if (this.#newest === NONE) this.#oldest = slot;
    else this.#newer[this.#newest] = slot;
    this.#newest = slot;
  }

  #unlink(slot: number): void {
    const older = this.#older[slot] as number;
    const newer = this.#newer[slot] as number;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
  }

  #grow(slot: number): void {
    const length = Math.max(slot + 1, this.#blocks.length * 2);
    const blocks = new Float64Array(length);
    const older = new Uint32Array(length);
    const newer = new Uint32Array(length);
    blocks.set(this.#blocks);
    older.set(this.#older);
    newer.set(this.#newer);
    this.#blocks = blocks;
    this.#older = older;
    this.#newer = newer;
  }
}
