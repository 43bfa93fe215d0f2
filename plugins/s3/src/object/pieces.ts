// Pieces of an object that were fetched ahead of the client, or are on their way: a bounded number of them.

interface Piece {
  readonly promise: Promise<Uint8Array>;
  /** There once it has arrived. */
  bytes?: Uint8Array;
}

/** Pieces of equal length, by their numbers. */
export class Pieces {
  /** Bytes of a piece; the last may be shorter. */
  readonly length: number;
  readonly #most: number;
  readonly #size: number;
  readonly #fetch: (target: Uint8Array, offset: number) => Promise<void>;
  readonly #pieces: Map<number, Piece> = new Map();

  /**
   * @param size - bytes of the object
   * @param most - how many pieces are kept
   */
  constructor(size: number, length: number, most: number, fetch: (target: Uint8Array, offset: number) => Promise<void>) {
    this.#size = size;
    this.length = length;
    this.#most = most;
    this.#fetch = fetch;
  }

  has(number: number): boolean {
    return this.#pieces.has(number);
  }

  /** The bytes of a piece, if they have arrived. */
  arrived(number: number): Uint8Array | undefined {
    return this.#pieces.get(number)?.bytes;
  }

  /** The bytes of a piece that was begun. */
  get(number: number): Promise<Uint8Array> | undefined {
    return this.#pieces.get(number)?.promise;
  }

  /** Fetches a piece, unless it is there already; lets the oldest go where there are too many. */
  begin(number: number): void {
    if (this.#pieces.has(number)) return;
    const [oldest] = this.#pieces.keys();
    if (oldest !== undefined && this.#pieces.size >= this.#most) this.#pieces.delete(oldest);
    const start = number * this.length;
    const bytes = new Uint8Array(Math.min(this.length, this.#size - start));
    const promise = this.#fetch(bytes, start).then(() => {
      piece.bytes = bytes;
      return bytes;
    });
    const piece: Piece = { promise };
    this.#pieces.set(number, piece);
    // One that nobody asked for may fail unheard. Whoever needs it later fetches it anew, and hears.
    promise.catch(() => {
      if (this.#pieces.get(number) === piece) this.#pieces.delete(number);
    });
  }
}
