// What scripts print: sizes, words, lists of exports and of extents.

import type { BlockSize, Extent } from "../../contract/connection.ts";
import type { ExportInfo } from "../../contract/plugin.ts";
import { parseSize } from "../../contract/size.ts";
import { scriptError } from "./answer.ts";

/** A text without the newline at its end. */
export function readText(output: Buffer): string {
  return output.toString().replace(/\n$/, "");
}

/** A size as `get_size` prints it. */
export function readSize(output: Buffer, about: string): bigint {
  return sizeOf(output.toString().trim(), about);
}

/** `none`, `emulate` or `native`. */
export function readMode(output: Buffer, about: string): "none" | "emulate" | "native" {
  const word = output.toString().trim().toLowerCase();
  if (word === "none" || word === "emulate" || word === "native") return word;
  throw scriptError("EIO", `${about}: it printed ${shown(word)}: expected none, emulate or native`);
}

/** Minimum, preferred and maximum block size; three zeroes say nothing. */
export function readBlockSize(output: Buffer, about: string): BlockSize | undefined {
  const words = output.toString().trim().split(/\s+/);
  const [minimum, preferred, maximum] = words.map((word) => Number(sizeOf(word, about)));
  if (words.length !== 3 || minimum === undefined || preferred === undefined || maximum === undefined)
    throw scriptError("EIO", `${about}: it printed ${shown(words.join(" "))}: expected three sizes, the minimum, preferred and maximum`);
  return minimum === 0 && preferred === 0 && maximum === 0 ? undefined : { minimum, preferred, maximum };
}

/**
 * A list of exports: `NAMES`, `INTERLEAVED` or `NAMES+DESCRIPTIONS` on the first line say what follows; without that word there are names, from
 * the first line on.
 */
export function readExports(output: Buffer): readonly ExportInfo[] {
  const [form, ...rest] = readLines(output);
  if (form === undefined) return [];
  if (form === "INTERLEAVED") {
    const names = rest.filter((_, index) => index % 2 === 0);
    return names.map((name, index) => described(name, rest[index * 2 + 1]));
  }
  if (form === "NAMES+DESCRIPTIONS") {
    const count = Math.ceil(rest.length / 2);
    return rest.slice(0, count).map((name, index) => described(name, rest[count + index]));
  }
  return (form === "NAMES" ? rest : [form, ...rest]).map((name) => ({ name }));
}

function described(name: string, description: string | undefined): ExportInfo {
  return description === undefined || description === "" ? { name } : { name, description };
}

/** Extents: lines of an offset, a length and perhaps a type, which is a number or words with commas between them. */
export function readExtents(output: Buffer, about: string): readonly Extent[] {
  return readLines(output).map((line) => {
    const [offset, length, type, more] = line.trim().split(/\s+/);
    if (offset === undefined || length === undefined || more !== undefined)
      throw scriptError("EIO", `${about}: it printed ${shown(line)}: expected an offset, a length and perhaps a type`);
    return { offset: sizeOf(offset, about), length: sizeOf(length, about), ...readType(type ?? "0") };
  });
}

/** Bit 0 is a hole, bit 1 reads as zeroes. Words that nobody knows say nothing. */
function readType(type: string): { readonly hole: boolean; readonly zero: boolean } {
  if (/^(0x[0-9a-f]+|\d+)$/i.test(type)) return { hole: (Number(type) & 1) !== 0, zero: (Number(type) & 2) !== 0 };
  const words = type.split(",");
  return { hole: words.includes("hole"), zero: words.includes("zero") };
}

function readLines(output: Buffer): readonly string[] {
  const text = readText(output);
  return output.length === 0 ? [] : text.split("\n");
}

function sizeOf(text: string, about: string): bigint {
  try {
    return parseSize(text);
  } catch {
    throw scriptError("EIO", `${about}: it printed ${shown(text)}: expected a size, such as 1048576 or 1M`);
  }
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
