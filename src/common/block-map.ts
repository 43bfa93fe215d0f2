// What is known of each block of a disk: a number, in a tree that takes room only where neighbours differ.

/** Children of a node: a leaf takes 4 KiB. */
const FAN = 1024;

/** The value of everything below, or children that differ: nodes, or the values of single blocks. */
type Node = number | Node[] | Uint32Array;

/** Told of a slot, and of the block that it belongs to. */
export type OnSlot = (value: number, block: number) => void;

/** Values from here on are slots: each belongs to one block. */
export const FIRST_SLOT: number = 2;

/**
 * A number from 0 to 2^32-1 for each block, 0 at first. 0 and 1 are kinds of blocks, of which there may be many in a row: a range of one kind takes no
 * more room than one block does, and is filled and passed over as quickly, on disks of up to 2^53 blocks. Numbers from {@link FIRST_SLOT} on say
 * where a block is kept.
 */
export class BlockMap {
  readonly #count: number;
  /** Blocks below the root, and below each of its children. */
  readonly #span: number;
  #root: Node = 0;
  // What #locate found: the children and the first block of what holds a block, or the value and the range that it stands for.
  #found: Node = 0;
  #base = 0;
  #limit = 0;

  /** @param count - how many blocks there are */
  constructor(count: number) {
    this.#count = count;
    let span = 1;
    while (span * FAN < count) span *= FAN;
    this.#span = span;
  }

  /** The value of a block. */
  get(block: number): number {
    let node = this.#root;
    let rest = block;
    for (let span = this.#span; typeof node !== "number"; span /= FAN) {
      const index = Math.floor(rest / span);
      node = node[index] as Node;
      rest -= index * span;
    }
    return node;
  }

  /** Gives a block a value. */
  set(block: number, value: number): void {
    this.#root = this.#put(this.#root, this.#span, block, value);
  }

  /**
   * Makes the blocks from `first` to before `end` one kind.
   *
   * @param dropped - told the slots that they had, in order
   */
  fill(first: number, end: number, kind: 0 | 1, dropped: OnSlot): void {
    if (first < end) this.#root = this.#cover(this.#root, this.#span, 0, first, end, kind, dropped);
  }

  /** Where the run of blocks that begins with `first` ends, at `end` at the latest: blocks of one kind, or of slots that go up by one. */
  runEnd(first: number, end: number): number {
    const value = this.get(first);
    const step = value < FIRST_SLOT ? 0 : 1;
    for (let at = first; at < end; ) {
      this.#locate(at);
      const found = this.#found;
      if (typeof found === "number") {
        if (found !== value) return at;
        at = this.#limit;
        continue;
      }
      const leaf = found as Uint32Array;
      const limit = Math.min(end - this.#base, FAN);
      for (let i = at - this.#base; i < limit; i += 1, at += 1) if (leaf[i] !== value + (at - first) * step) return at;
    }
    return end;
  }

  /** Calls `each` for every block from `first` to before `end` that has a slot, in order. */
  slots(first: number, end: number, each: OnSlot): void {
    for (let at = first; at < end; at = this.#limit) {
      this.#locate(at);
      const found = this.#found;
      if (typeof found === "number") continue;
      const leaf = found as Uint32Array;
      const base = this.#base;
      const stop = Math.min(end - base, FAN);
      for (let i = at - base; i < stop; i += 1) {
        const value = leaf[i] as number;
        if (value >= FIRST_SLOT) each(value, base + i);
      }
      this.#limit = base + FAN;
    }
  }

  /** Finds the leaf that a block is in, or the range of equal blocks. */
  #locate(block: number): void {
    let node = this.#root;
    let base = 0;
    let span = this.#span * FAN;
    while (typeof node !== "number" && !(node instanceof Uint32Array)) {
      span /= FAN;
      const index = Math.floor((block - base) / span);
      node = node[index] as Node;
      base += index * span;
    }
    this.#found = node;
    this.#base = base;
    this.#limit = Math.min(base + span, this.#count);
  }

  #put(node: Node, span: number, block: number, value: number): Node {
    if (node === value) return node;
    const children = typeof node === "number" ? divided(node, span) : node;
    const index = Math.floor(block / span);
    if (span === 1) children[index] = value;
    else children[index] = this.#put(children[index] as Node, span / FAN, block - index * span, value);
    return children;
  }

  /** The node that starts at block `base`, with the range filled as far as it lies in it. */
  #cover(node: Node, span: number, base: number, first: number, end: number, kind: number, dropped: OnSlot): Node {
    if (node === kind) return node;
    if (first <= base && Math.min(base + span * FAN, this.#count) <= end) {
      tell(node, span, base, dropped);
      return kind;
    }
    const children = typeof node === "number" ? divided(node, span) : node;
    const from = Math.max(0, Math.floor((first - base) / span));
    const to = Math.min(FAN, Math.ceil((end - base) / span));
    for (let i = from; i < to; i += 1) {
      if (span > 1) {
        children[i] = this.#cover(children[i] as Node, span / FAN, base + i * span, first, end, kind, dropped);
        continue;
      }
      const value = children[i] as number;
      children[i] = kind;
      if (value >= FIRST_SLOT) dropped(value, base + i);
    }
    return children;
  }
}

/** Children that all are of their parent's kind. */
function divided(kind: number, span: number): Node[] | Uint32Array {
  return span === 1 ? new Uint32Array(FAN).fill(kind) : new Array<Node>(FAN).fill(kind);
}

/** Tells the slots in a node. */
function tell(node: Node, span: number, base: number, dropped: OnSlot): void {
  if (typeof node === "number") return;
  for (let i = 0; i < FAN; i += 1) {
    const child = node[i] as Node;
    if (span > 1) tell(child, span / FAN, base + i * span, dropped);
    else if ((child as number) >= FIRST_SLOT) dropped(child as number, base + i);
  }
}
