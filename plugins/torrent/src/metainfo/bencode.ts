// Bencoding, the notation of torrent files: BEP 3. Strict, as what is decoded comes from strangers.

/** A value of a bencoded file; strings are bytes, the keys of dictionaries text. */
export type Bencoded = number | Uint8Array | readonly Bencoded[] | Dictionary;

/** A dictionary, and where in the file it stands. */
export interface Dictionary {
  readonly entries: ReadonlyMap<string, Bencoded>;
  readonly start: number;
  readonly end: number;
}

/** What is no torrent file, and why. */
export class FormatError extends Error {}

/** A torrent has four levels. */
const DEEPEST = 32;
const E = 0x65;

/**
 * Decodes a file.
 *
 * @throws FormatError when it is not bencoded, is cut off, or goes on after its end
 */
export function decode(bytes: Uint8Array): Bencoded {
  const decoder = new Decoder(bytes);
  const value = decoder.value(0);
  if (decoder.at !== bytes.length) throw new FormatError(`it goes on after its end, at byte ${decoder.at}`);
  return value;
}

/** Whether a value is a dictionary. */
export function isDictionary(value: Bencoded | undefined): value is Dictionary {
  return typeof value === "object" && "entries" in value && "end" in value;
}

/** The same value as BitTorrent libraries have it: dictionaries as plain objects. */
export function toPlain(value: Bencoded): unknown {
  if (Array.isArray(value)) return value.map(toPlain);
  if (!isDictionary(value)) return value;
  // Not a literal: a key may be `__proto__`.
  return Object.fromEntries([...value.entries].map(([key, entry]) => [key, toPlain(entry)]));
}

class Decoder {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  value(depth: number): Bencoded {
    if (depth > DEEPEST) throw new FormatError(`it is nested more than ${DEEPEST} levels deep`);
    const byte = this.#byte();
    if (isDigit(byte)) return this.#string();
    switch (byte) {
      case 0x69:
        return this.#integer();
      case 0x6c:
        return this.#list(depth);
      case 0x64:
        return this.#dictionary(depth);
      default:
        throw new FormatError(`byte ${this.at} is no beginning of a value`);
    }
  }

  #list(depth: number): Bencoded[] {
    const list: Bencoded[] = [];
    for (this.at += 1; this.#byte() !== E; ) list.push(this.value(depth + 1));
    this.at += 1;
    return list;
  }

  #dictionary(depth: number): Dictionary {
    const start = this.at;
    const entries = new Map<string, Bencoded>();
    for (this.at += 1; this.#byte() !== E; ) {
      if (!isDigit(this.#byte())) throw new FormatError(`byte ${this.at} is no beginning of a key`);
      const key = Buffer.from(this.#string()).toString();
      if (entries.has(key)) throw new FormatError(`it has ${JSON.stringify(key.slice(0, 40))} twice in a dictionary`);
      entries.set(key, this.value(depth + 1));
    }
    this.at += 1;
    return { entries, start, end: this.at };
  }

  #integer(): number {
    this.at += 1;
    return this.#number(E, /^(0|-?[1-9]\d*)$/);
  }

  #string(): Uint8Array {
    const length = this.#number(0x3a, /^(0|[1-9]\d*)$/);
    if (length > this.#bytes.length - this.at) throw new FormatError("it was cut off");
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  #number(end: number, form: RegExp): number {
    const start = this.at;
    // No number has more digits than this.
    const stop = this.#bytes.subarray(start, start + 24).indexOf(end);
    if (stop === -1) throw new FormatError(start + 24 > this.#bytes.length ? "it was cut off" : `byte ${start} is no number`);
    const text = Buffer.from(this.#bytes.subarray(start, start + stop)).toString("latin1");
    const value = Number(text);
    if (!form.test(text) || !Number.isSafeInteger(value)) throw new FormatError(`byte ${start} is no number: ${JSON.stringify(text)}`);
    this.at = start + stop + 1;
    return value;
  }

  #byte(): number {
    const byte = this.#bytes[this.at];
    if (byte === undefined) throw new FormatError("it was cut off");
    return byte;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
