// A piece of the disk that was asked for ahead: it can be read from its start as it arrives.

/** A piece of the disk that is here, or on its way. */
export class Chunk {
  readonly start: number;
  readonly end: number;
  readonly #bytes: Uint8Array;
  /** How much of it is here, from its start. */
  #filled = 0;
  #failed = false;
  /** Those that wait for more of it. */
  #waiting: (() => void)[] = [];

  /** @param fetch - fills a buffer, telling how far it is */
  constructor(
    start: number,
    length: number,
    fetch: (target: Uint8Array, at: number, progress: (bytes: number) => void) => Promise<void>,
    settled: (chunk: Chunk, failed: boolean) => void,
  ) {
    this.start = start;
    this.end = start + length;
    this.#bytes = Buffer.allocUnsafeSlow(length);
    const progress = (bytes: number): void => {
      this.#filled = bytes;
      this.#wake();
    };
    const end = (failed: boolean): void => {
      this.#failed = failed;
      if (!failed) this.#filled = length;
      settled(this, failed);
      this.#wake();
    };
    fetch(this.#bytes, start, progress).then(
      () => end(false),
      // Whoever needs these bytes asks for them himself, and is told what is wrong.
      () => end(true),
    );
  }

  get length(): number {
    return this.end - this.start;
  }

  /** Whether the bytes before `end` are here. */
  has(end: number): boolean {
    return this.#filled >= end - this.start;
  }

  /** Waits for the bytes before `end`: whether they have come. */
  async reaches(end: number): Promise<boolean> {
    while (!this.has(end) && !this.#failed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.has(end);
  }

  /** Copies what of `target`, which begins at `at`, is in this chunk. */
  copyTo(target: Uint8Array, at: number): void {
    const from = Math.max(this.start, at);
    const to = Math.min(this.end, at + target.length);
    target.set(this.#bytes.subarray(from - this.start, to - this.start), from - at);
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const call of waiting) call();
  }
}
