// Numbers, words and strings as expressions have them.

/** Decimal, octal with a leading 0, hexadecimal with a leading 0x. */
export const NUMBER: RegExp = /0[xX][0-9a-fA-F]+|[0-9]+/y;

/** Reads a number that {@link NUMBER} matched; undefined when it is none: 08, say. */
export function readNumber(digits: string): bigint | undefined {
  if (/^0[0-9]/.test(digits)) return /^[0-7]+$/.test(digits) ? BigInt(`0o${digits.slice(1)}`) : undefined;
  return BigInt(digits);
}

/** A word of so many bits as bytes. */
export function wordBytes(order: string, bits: number, value: bigint): Uint8Array {
  const bytes = new Uint8Array(bits / 8);
  for (let i = 0; i < bytes.length; i++) bytes[order === "be" ? bytes.length - 1 - i : i] = Number((value >> BigInt(8 * i)) & 0xffn);
  return bytes;
}

const simple: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  "\\": 92,
  '"': 34,
  "'": 39,
  "?": 63,
};

/** How the escapes of a string look after the backslash: a letter, one to three octal digits, x and two digits, u and four, U and eight. */
const ESCAPE: RegExp = /([abfnrtv\\"'?])|([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})/y;

/**
 * Reads a string from behind its opening quote on.
 *
 * @returns its bytes and where it ends, behind the closing quote; or what is wrong, and where
 */
export function readString(text: string, start: number): { bytes: Buffer; end: number } | { wrong: string; index: number } {
  const parts: Buffer[] = [];
  for (let at = start; at < text.length; ) {
    const stop = text.slice(at, at + 1);
    if (stop === '"') return { bytes: Buffer.concat(parts), end: at + 1 };
    if (stop !== "\\") {
      const plain = /[^"\\]+/y;
      plain.lastIndex = at;
      const match = plain.exec(text)?.[0] as string;
      parts.push(Buffer.from(match));
      at += match.length;
      continue;
    }
    ESCAPE.lastIndex = at + 1;
    const match = ESCAPE.exec(text);
    const bytes = match === null ? undefined : escaped(match);
    if (match === null || bytes === undefined) {
      const known = String.raw`\a \b \f \n \r \t \v \\ \" \' \? \0 to \377, \x41, \u20ac, \U0001f4be`;
      return { wrong: `there is no such escape (${known})`, index: at };
    }
    parts.push(bytes);
    at += 1 + match[0].length;
  }
  return { wrong: "this string does not end", index: start - 1 };
}

function escaped([, letter, octal, hex, short, long]: RegExpExecArray): Buffer | undefined {
  if (letter !== undefined) return Buffer.of(simple[letter] as number);
  if (octal !== undefined) return Number.parseInt(octal, 8) > 255 ? undefined : Buffer.of(Number.parseInt(octal, 8));
  if (hex !== undefined) return Buffer.of(Number.parseInt(hex, 16));
  const point = Number.parseInt((short ?? long) as string, 16);
  return point > 0x10ffff || (point >= 0xd800 && point < 0xe000) ? undefined : Buffer.from(String.fromCodePoint(point));
}

/** Reads base64, with padding; undefined when it is none. White space between the letters does not count. */
export function readBase64(text: string): Buffer | undefined {
  const letters = text.replace(/\s+/g, "");
  const valid = letters.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(letters);
  return valid ? Buffer.from(letters, "base64") : undefined;
}
