// Reading the values of keys and options, as nbdkit does.

import { resolve } from "node:path";
import { parseDuration } from "../common/duration.ts";
import { parseProbability } from "../common/probability.ts";
import { errorText } from "../contract/error.ts";
import { parseSize } from "../index.ts";
import type { Key, KeyValues } from "./catalogue.ts";
import type { Host } from "./host.ts";
import { readSecret } from "./secret.ts";
import { didYouMean } from "./suggest.ts";
import { UsageError } from "./usage-error.ts";

type Reader<T> = (text: string, name: string, host: Host) => T | Promise<T>;

const readers: { readonly [Type in keyof KeyValues]: Reader<KeyValues[Type]> } = {
  size: (text, name) => parseSize(text, name),
  boolean: readBoolean,
  integer: readInteger,
  number: readNumber,
  string: (text) => text,
  path: readPath,
  secret: readSecret,
  duration: (text, name) => checked(text, () => parseDuration(text, name)),
  probability: (text, name) => parseProbability(text, name),
};

/**
 * Reads the value of a key.
 *
 * @param name - what the value is of, for the error's text
 * @throws when it is no such value
 */
export async function readValue(key: Key, text: string, name: string, host: Host): Promise<unknown> {
  return key.type === "choice" ? readChoice(key.values, text, name) : readers[key.type](text, name, host);
}

/** Reads yes or no in the many ways that nbdkit takes. */
export function readBoolean(text: string, name: string): boolean {
  const word = text.toLowerCase();
  if (["1", "true", "t", "yes", "y", "on"].includes(word)) return true;
  if (["0", "false", "f", "no", "n", "off"].includes(word)) return false;
  throw refuse(name, text, "expected yes or no: true, yes, on, 1 or false, no, off, 0");
}

/** Reads yes or no, or the absolute path of a file whose existence decides. */
export function readFileSwitch(text: string, name: string): boolean | string {
  return text.startsWith("/") ? text : readBoolean(text, name);
}

/** Reads a whole number: decimal, `0x` hexadecimal or, with a leading 0, octal. */
export function readInteger(text: string, name: string): number {
  const match = /^([+-]?)(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i.exec(text.trim());
  if (match === null) throw refuse(name, text, "expected a whole number");
  const digits = match[2] as string;
  const value = Number(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits) * (match[1] === "-" ? -1 : 1);
  if (!Number.isSafeInteger(value)) throw refuse(name, text, "that is too large a number");
  return value;
}

/** Reads a time, in seconds unless a unit follows: `30`, `1.5`, `500ms`, `20us`. Answers in milliseconds. */
export function readTime(text: string, name: string): number {
  try {
    return parseDuration(text, name);
  } catch (error) {
    throw new UsageError(errorText(error));
  }
}

function readNumber(text: string, name: string): number {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim())) throw refuse(name, text, "expected a number");
  return Number(text);
}

function readPath(text: string, name: string): string {
  if (text === "") throw refuse(name, text, "expected a path");
  return resolve(text);
}

function readChoice(values: readonly string[], text: string, name: string): string {
  if (values.includes(text)) return text;
  throw refuse(name, text, `expected ${values.join(" or ")}${didYouMean(text, values)}`);
}

/** The text itself, once it has been found good. */
function checked(text: string, check: () => unknown): string {
  check();
  return text;
}

function refuse(name: string, text: string, why: string): UsageError {
  return new UsageError(`${name} ${JSON.stringify(text)}: ${why}`);
}
