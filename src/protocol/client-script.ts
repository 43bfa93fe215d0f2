// A negotiation written top-down: a generator that says what it sends and how many bytes it needs next, and a runner that feeds it.
// However the bytes arrive, the script gets exactly what it asked for.

/** What a script does next: send, or wait for so many bytes. */
export type Step = { readonly send: Uint8Array } | { readonly read: number; readonly awaiting: string };

/** A negotiation. It throws where it fails. */
export type Script<T> = Generator<Step, T, Uint8Array>;

/** Waits for exactly `length` bytes. `awaiting` says what they are, for the error when they never come. */
export function* read(length: number, awaiting: string): Script<Buffer> {
  const bytes = yield { read: length, awaiting };
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Sends `bytes`. */
export function* send(bytes: Uint8Array): Script<void> {
  yield { send: bytes };
}

/** Runs a script over bytes that arrive in pieces of any size. No sockets. */
export class ScriptRunner<T> {
  readonly #script: Script<T>;
  #output: Uint8Array[] = [];
  #wanted: Uint8Array = new Uint8Array(0);
  #filled = 0;
  #awaiting = "";
  #result: { readonly value: T } | undefined;

  constructor(script: Script<T>) {
    this.#script = script;
  }

  /** What the script is waiting for. */
  get awaiting(): string {
    return this.#awaiting;
  }

  /** What the script returned, once it has. */
  get result(): { readonly value: T } | undefined {
    return this.#result;
  }

  /** What is to be sent now; each piece is given out once. Worth a look also after an error. */
  takeOutput(): Uint8Array[] {
    const output = this.#output;
    this.#output = [];
    return output;
  }

  /** Begins. Throws what the script throws. */
  start(): void {
    this.#resume(this.#script.next());
  }

  /** Takes what arrived; returns how much of it the script took: all, unless it has ended. Throws what the script throws. */
  receive(input: Uint8Array): number {
    let at = 0;
    while (this.#result === undefined) {
      const count = Math.min(this.#wanted.length - this.#filled, input.length - at);
      this.#wanted.set(input.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled < this.#wanted.length) break;
      this.#resume(this.#script.next(this.#wanted));
    }
    return at;
  }

  #resume(first: IteratorResult<Step, T>): void {
    let step = first;
    while (step.done !== true) {
      if ("read" in step.value) {
        this.#wanted = new Uint8Array(step.value.read);
        this.#filled = 0;
        this.#awaiting = step.value.awaiting;
        if (step.value.read > 0) return;
        step = this.#script.next(this.#wanted);
      } else {
        this.#output.push(step.value.send);
        step = this.#script.next(new Uint8Array(0));
      }
    }
    this.#result = { value: step.value };
  }
}
