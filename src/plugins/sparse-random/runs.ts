// Where a sparse random disk has data and where holes: found out from a seed for any place, without a map.

import { hash } from "../../common/random-blocks.ts";

/** A run of data, or a hole, in grains. Neighbours may be of the same kind. */
export interface Run {
  readonly data: boolean;
  /** The first grain after it. */
  readonly end: number;
}

const WORD = 2 ** 32;

/**
 * The disk is cut into cells of one length, of which each has one run of what there is less of: of data up to 50 percent, of a hole beyond. The run's
 * length and place in its cell are random, half to one and a half times of what they are on average.
 */
export class Runs {
  readonly #seed: number;
  readonly #grains: number;
  readonly #percent: number;
  /** Grains of a cell; not a whole number. */
  readonly #cell: number;
  /** Grains of the run in a cell, on average. */
  readonly #mean: number;

  /**
   * @param grains - of the disk, the pieces of which runs are made
   * @param percent - of the grains that are data
   * @param length - of a run of data on average, in grains
   */
  constructor(seed: number, grains: number, percent: number, length: number) {
    this.#seed = seed;
    this.#grains = grains;
    this.#percent = percent;
    this.#cell = (length * 100) / percent;
    this.#mean = percent <= 50 ? length : this.#cell - length;
  }

  /** The run that a grain is in. */
  at(grain: number): Run {
    if (this.#percent === 0 || this.#percent === 100) return { data: this.#percent === 100, end: this.#grains };
    let cell = Math.floor(grain / this.#cell);
    while (this.#start(cell) > grain) cell -= 1;
    while (this.#start(cell + 1) <= grain) cell += 1;
    const start = this.#start(cell);
    const end = this.#start(cell + 1);
    const length = this.#length(cell, end - start);
    const from = start + Math.floor((hash(this.#seed, 3 * cell) / WORD) * (end - start - length + 1));
    const inRun = grain >= from && grain < from + length;
    const until = inRun ? from + length : grain < from && length > 0 ? from : end;
    return { data: inRun === this.#percent <= 50, end: Math.min(until, this.#grains) };
  }

  #start(cell: number): number {
    return Math.floor(cell * this.#cell);
  }

  /** Rounded up or down by chance, so that short runs too have the mean that they are to have. */
  #length(cell: number, most: number): number {
    const factor = 0.5 + hash(this.#seed, 3 * cell + 1) / WORD;
    return Math.min(most, Math.floor(this.#mean * factor + hash(this.#seed, 3 * cell + 2) / WORD));
  }
}
