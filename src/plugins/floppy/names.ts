// Names in a FAT directory: the short one of 8 and 3 characters that every file has, and the entries that keep the long one.
// Source: Microsoft, "FAT32 File System Specification", version 1.03, sections "FAT Directory Structure" and "FAT Long Directory Entries".

import { DiskError } from "../../contract/error.ts";

/** The length of a directory entry, in bytes. */
export const ENTRY_SIZE = 32;
const LONGEST = 255;
const PER_ENTRY = 13;
/** Where the 13 characters of a long name's entry are. */
const PLACES = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30] as const;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /["*/:<>?\\|\x00-\x1f\x7f]/;
const LONG_NAME = 0x0f;

/** Gives each name in one directory its short name. */
export class ShortNames {
  /** Short names that are taken. */
  readonly #taken = new Set<string>();
  /** Long names that are taken, as FAT compares them. */
  readonly #long = new Map<string, string>();
  /** The number to try next, by the short name without it. */
  readonly #next = new Map<string, number>();

  /**
   * The 11 characters of a name's short name.
   *
   * @param path - the file, for errors
   * @throws DiskError when FAT cannot keep the name
   */
  make(name: string, path: string): string {
    check(name, path);
    const folded = name.toUpperCase();
    const other = this.#long.get(folded);
    if (other !== undefined) throw cannotKeep(path, `FAT takes its name for that of ${JSON.stringify(other)}: it does not tell case apart`);
    this.#long.set(folded, name);
    const short = this.#choose(name);
    this.#taken.add(short);
    return short;
  }

  #choose(name: string): string {
    const dot = name.lastIndexOf(".");
    const base = shorten(dot <= 0 ? name : name.slice(0, dot));
    const extension = shorten(dot <= 0 ? "" : name.slice(dot + 1));
    const plain = `${base.text.slice(0, 8).padEnd(8)}${extension.text.slice(0, 3).padEnd(3)}`;
    const whole = !base.lossy && !extension.lossy && base.text.length <= 8 && base.text !== "" && extension.text.length <= 3;
    if (whole && !this.#taken.has(plain)) return plain;
    for (let number = this.#next.get(plain) ?? 1; ; number += 1) {
      const tail = `~${number}`;
      const short = `${`${base.text.slice(0, 8 - tail.length)}${tail}`.padEnd(8)}${plain.slice(8)}`;
      if (this.#taken.has(short)) continue;
      this.#next.set(plain, number + 1);
      return short;
    }
  }
}

/** The entries of a long name, in the order in which they stand before the entry of the short one. None are needed for a name that is its own short name. */
export function longNameEntries(name: string, short: string): Buffer[] {
  if (name === spelled(short)) return [];
  const sum = checksum(short);
  const count = Math.ceil(name.length / PER_ENTRY);
  return Array.from({ length: count }, (_, index) => {
    const number = count - index;
    const entry = Buffer.alloc(ENTRY_SIZE);
    entry[0] = index === 0 ? number | 0x40 : number;
    entry[11] = LONG_NAME;
    entry[13] = sum;
    const start = (number - 1) * PER_ENTRY;
    // After the name stands one 0, then 0xffff to the end.
    for (const [i, at] of PLACES.entries()) {
      const position = start + i;
      entry.writeUInt16LE(position < name.length ? name.charCodeAt(position) : position === name.length ? 0 : 0xffff, at);
    }
    return entry;
  });
}

/**
 * Checks the name of a disk: up to 11 characters that FAT has for it, without regard to case.
 *
 * @returns the 11 bytes as they are kept
 */
export function checkLabel(label: string): string {
  if (/^[A-Z0-9 $%'\-_@~`!(){}^#&]{1,11}$/i.test(label) && label.trim() !== "") return label.toUpperCase().padEnd(11);
  throw new TypeError(`label ${JSON.stringify(label)}: expected 1 to 11 letters, digits, spaces or any of $%'-_@~\`!(){}^#&`);
}

function check(name: string, path: string): void {
  if (name.length > LONGEST) throw cannotKeep(path, `its name is longer than ${LONGEST} characters`);
  const forbidden = FORBIDDEN.exec(name)?.[0];
  if (forbidden !== undefined) throw cannotKeep(path, `its name has ${JSON.stringify(forbidden)}`);
  if (/[. ]$/.test(name)) throw cannotKeep(path, `its name ends with ${name.endsWith(".") ? "a dot" : "a space"}`);
}

function cannotKeep(path: string, why: string): DiskError {
  return new DiskError("EINVAL", `${path} cannot be on a FAT disk: ${why}`);
}

/** What is left of a part of a name in a short one, and whether anything but its case is lost. */
function shorten(text: string): { readonly text: string; readonly lossy: boolean } {
  const kept = text.replace(/[ .]/g, "");
  const short = kept.toUpperCase().replace(/[^A-Z0-9$%'\-_@~`!(){}^#&]/g, "_");
  return { text: short, lossy: kept !== text || /[^A-Z0-9$%'\-_@~`!(){}^#&]/i.test(kept) };
}

/** A short name as people write it. */
function spelled(short: string): string {
  const base = short.slice(0, 8).trimEnd();
  const extension = short.slice(8).trimEnd();
  return extension === "" ? base : `${base}.${extension}`;
}

function checksum(short: string): number {
  let sum = 0;
  for (let i = 0; i < 11; i += 1) sum = (((sum & 1) << 7) + (sum >> 1) + short.charCodeAt(i)) & 0xff;
  return sum;
}
