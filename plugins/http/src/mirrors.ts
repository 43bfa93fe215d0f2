// Trying again: another mirror at once, and all of them once more after a while.

import { Failure } from "./failure.ts";
import type { Mirror } from "./mirror.ts";
import type { Settings } from "./options.ts";

/** The mirrors of a file, as one client uses them: it stays with the one that answered last. */
export class Mirrors {
  readonly #mirrors: readonly Mirror[];
  readonly #settings: Settings;
  readonly #signal: AbortSignal;
  #current = 0;

  constructor(mirrors: readonly Mirror[], settings: Settings, signal: AbortSignal) {
    this.#mirrors = mirrors;
    this.#settings = settings;
    this.#signal = signal;
  }

  /** Finds the file and its size. */
  async open(): Promise<number> {
    return (await this.#persist(this.#settings.retries, (mirror) => mirror.open())).size;
  }

  /**
   * Fills `target`; what has arrived when a request fails is not asked for again.
   *
   * @param retries - how often to wait and try again. Default: the option's
   * @param progress - told how many bytes of the target have been filled
   */
  read(
    target: Uint8Array,
    offset: number,
    size: number,
    retries: number = this.#settings.retries,
    progress?: (bytes: number) => void,
  ): Promise<void> {
    let filled = 0;
    return this.#persist(retries, (mirror) => {
      const start = filled;
      return mirror.read(target.subarray(start), offset + start, size, (bytes) => {
        filled = start + bytes;
        progress?.(filled);
      });
    });
  }

  async #persist<T>(retries: number, attempt: (mirror: Mirror) => Promise<T>): Promise<T> {
    const { clock } = this.#settings;
    for (let round = 0; ; round += 1) {
      const failures: Failure[] = [];
      const first = this.#current;
      for (let step = 0; step < this.#mirrors.length; step += 1) {
        const index = (first + step) % this.#mirrors.length;
        try {
          const answer = await attempt(this.#mirrors[index] as Mirror);
          this.#current = index;
          return answer;
        } catch (error) {
          // Another mirror may have the new version by now too: reading on from there would mix the two.
          if (!(error instanceof Failure) || error.remedy === "changed") throw error;
          failures.push(error);
        }
      }
      const passing = failures.find(({ remedy }) => remedy === "again");
      if (passing === undefined || round >= retries) throw all(failures, round);
      await clock.sleep(this.#delay(round, failures), this.#signal);
    }
  }

  /** The wait after so many rounds: what we would, or longer where the servers ask for it. */
  #delay(round: number, failures: readonly Failure[]): number {
    const { retryDelay, retryMaxDelay } = this.#settings;
    const wanted = Math.min(retryDelay * 2 ** round, retryMaxDelay);
    const passing = failures.filter(({ remedy }) => remedy === "again");
    const asked = Math.min(...passing.map(({ after = 0 }) => after));
    if (asked <= retryMaxDelay) return Math.max(wanted, asked);
    const longest = `${Math.ceil(asked / 1000)} seconds, which is longer than retryMaxDelay (${retryMaxDelay / 1000})`;
    throw new Failure("final", "EIO", `${(passing[0] as Failure).message}; it asks to wait for ${longest}`, { cause: passing[0] });
  }
}

/** One failure of several, with what was tried. */
function all(failures: readonly Failure[], rounds: number): Failure {
  const first = failures[0] as Failure;
  const tries = rounds === 0 ? "" : ` (tried ${rounds + 1} times)`;
  const others = failures.slice(1).map(({ message }) => message);
  if (tries === "" && others.length === 0) return first;
  return new Failure(first.remedy, first.code, [`${first.message}${tries}`, ...others].join("; and "), { cause: first });
}
