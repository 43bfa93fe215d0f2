// Reading JSON whose writer is not to be trusted: each field is what it has to be, or there is an error that says which one is not.

import { quoted } from "./encryption.ts";
import { refused } from "./refused.ts";

/** An object of a JSON document. */
export class JsonFields {
  /** Where it is in the document: `keyslots.0.kdf`. */
  readonly path: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  /** @throws DiskError EINVAL when `value` is no object */
  constructor(value: unknown, path: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(path, "an object");
    this.#fields = value as Record<string, unknown>;
    this.path = path;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  object(name: string): JsonFields {
    return new JsonFields(this.#get(name), this.#path(name));
  }

  /** The objects of an object whose names are numbers below 1000. */
  *numbered(name: string): Generator<readonly [number, JsonFields]> {
    const parent = this.object(name);
    for (const key of Object.keys(parent.#fields)) {
      if (!/^(0|[1-9]\d{0,2})$/.test(key)) throw wrong(`${parent.path}.${quoted(key)}`, "a number as its name");
      yield [Number(key), parent.object(key)] as const;
    }
  }

  string(name: string): string {
    const value = this.#get(name);
    if (typeof value !== "string") throw wrong(this.#path(name), "a string");
    return value;
  }

  /** A number that JSON holds as one. */
  integer(name: string): number {
    const value = this.#get(name);
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw wrong(this.#path(name), "a whole number");
    return value as number;
  }

  /** A number of up to 64 bits, which JSON holds as a string. */
  uint64(name: string): bigint {
    const text = this.string(name);
    const value = /^\d{1,20}$/.test(text) ? BigInt(text) : -1n;
    if (value < 0n || value >= 2n ** 64n) throw wrong(this.#path(name), "a string of decimal digits, below 2^64");
    return value;
  }

  /** Bytes, which JSON holds in base64. */
  bytes(name: string, shortest: number, longest: number): Uint8Array {
    const text = this.string(name);
    const bytes = /^[A-Za-z0-9+/]{1,1024}={0,2}$/.test(text) ? Buffer.from(text, "base64") : undefined;
    if (bytes === undefined || bytes.length < shortest || bytes.length > longest) {
      throw wrong(this.#path(name), `${shortest} to ${longest} bytes in base64`);
    }
    return Uint8Array.from(bytes);
  }

  /** A list of strings; empty where it is missing. */
  strings(name: string): readonly string[] {
    if (!this.has(name)) return [];
    const value = this.#get(name);
    if (!Array.isArray(value) || !value.every((each) => typeof each === "string")) throw wrong(this.#path(name), "a list of strings");
    return value;
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }

  #path(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }
}

function wrong(path: string, expected: string): Error {
  return refused(`the header's ${path === "" ? "JSON" : path} is not ${expected}`);
}
