// From the text of an expression to what it consists of. Nested groups are kept on a list, not on the call stack: no text is too deep to be read.

import { MAX_SIZE, scaled } from "../../contract/size.ts";
import { NUMBER, readBase64, readNumber, readString, wordBytes } from "./literals.ts";
import { type Expression, errorAt, type Group, type Item, type Place, type Source } from "./syntax.ts";

const SPACE = /(?:\s|#[^\n]*)+/y;
const WORD = /(le|be)(16|32|64):/y;
const BASE64 = /base64:([A-Za-z0-9+/=]*)/y;
const FILE = /[^\s*[\]()#]+/y;
const SUFFIX = /[bskmgtpe](?![A-Za-z0-9_])/iy;
const NAME = /\\([A-Za-z0-9_-]+)/y;
const VARIABLE = /\$([A-Za-z0-9_]+)/y;

/** The part of a group that has been read. Literals that follow each other become one run of bytes. */
interface Frame {
  readonly items: Item[];
  readonly place: Place;
  literals: Uint8Array[];
}

/**
 * Reads an expression.
 *
 * @throws DiskError EINVAL that says in which line and column what is wrong
 */
export function parse(source: Source): Group {
  return new Parser(source).parse();
}

class Parser {
  readonly #source: Source;
  readonly #text: string;
  readonly #outer: Frame[] = [];
  #frame: Frame;
  #at = 0;

  constructor(source: Source) {
    this.#source = source;
    this.#text = source.text;
    this.#frame = { items: [], place: this.#place(), literals: [] };
  }

  parse(): Group {
    for (this.#skip(); this.#at < this.#text.length; this.#skip()) this.#item();
    if (this.#outer.length > 0) throw errorAt(this.#frame.place, "this ( is not closed");
    return this.#close();
  }

  #item(): void {
    const start = this.#place();
    const text = this.#text;
    switch (text[this.#at]) {
      case "(":
        this.#at++;
        this.#outer.push(this.#frame);
        this.#frame = { items: [], place: start, literals: [] };
        return;
      case ")": {
        const outer = this.#outer.pop();
        if (outer === undefined) throw errorAt(start, "there is no ( that this ) closes");
        const group = this.#close();
        this.#at++;
        this.#frame = outer;
        return this.#add(group);
      }
      case "*":
        this.#at++;
        this.#skip();
        return this.#postfix(start, "*", (of) => ({ kind: "repeat", of, times: this.#size("how many times to repeat it"), place: start }));
      case "[":
        this.#at++;
        return this.#postfix(start, "[", (of) => this.#slice(of, start));
      case "-":
        if (text[this.#at + 1] !== ">") break;
        this.#at += 2;
        this.#skip();
        return this.#postfix(start, "->", (of) => ({ kind: "assign", of, name: this.#name() }));
      case "@":
        return this.#move(start);
      case "<":
        return this.#add(this.#input(start));
      case "\\":
        return this.#add({ kind: "name", name: this.#name(), place: start });
      case "$": {
        const name = this.#match(VARIABLE)?.[1];
        if (name === undefined) throw errorAt(start, "expected a name of letters, digits and _ after $");
        return this.#add({ kind: "variable", name, place: start });
      }
      case '"': {
        const string = readString(text, this.#at + 1);
        if ("wrong" in string) throw errorAt({ source: this.#source, index: string.index }, string.wrong);
        this.#at = string.end;
        return void this.#frame.literals.push(string.bytes);
      }
    }
    return void this.#frame.literals.push(this.#literal(start));
  }

  /** A byte, a word, or bytes in base64. */
  #literal(start: Place): Uint8Array {
    const word = this.#match(WORD);
    if (word !== null) {
      const bits = Number(word[2]);
      const value = this.#number("a number");
      if (value >= 1n << BigInt(bits)) throw errorAt(start, `${value} does not fit into ${bits} bits`);
      return wordBytes(word[1] as string, bits, value);
    }
    const base64 = this.#match(BASE64);
    if (base64 !== null) {
      const bytes = readBase64(base64[1] as string);
      if (bytes === undefined) throw errorAt(start, "this is no base64: its letters come in fours, filled up with =");
      return bytes;
    }
    const value = this.#number("a byte, @offset, string, <file, (, \\name or $variable");
    if (value > 255n) throw errorAt(start, `${value} is no byte: 0 to 255 (or le16:${value}, be32:${value} …)`);
    return Uint8Array.of(Number(value));
  }

  #move(start: Place): void {
    this.#at++;
    const sign = /[-+^]?/y;
    const how = `@${this.#match(sign)?.[0] ?? ""}` as "@" | "@+" | "@-" | "@^";
    const by = this.#size("an offset");
    if (how === "@^" && (by === 0n || (by & (by - 1n)) !== 0n)) throw errorAt(start, `${how}${by}: an alignment is a power of two`);
    this.#settle();
    this.#frame.items.push({ kind: "move", how, by, place: start });
  }

  /** `<file` or `<(script)`. */
  #input(start: Place): Expression {
    this.#at++;
    if (this.#text[this.#at] !== "(") {
      const path = this.#match(FILE)?.[0];
      if (path === undefined) throw errorAt(start, "expected the name of a file right after <, or <( a script )");
      return { kind: "file", path, place: start };
    }
    const from = this.#at + 1;
    let depth = 0;
    for (; this.#at < this.#text.length; this.#at++) {
      const letter = this.#text[this.#at];
      if (letter === "(") depth++;
      else if (letter === ")" && --depth === 0) return { kind: "script", script: this.#text.slice(from, this.#at++), place: start };
    }
    throw errorAt(start, "this script does not end: its ( and ) must match");
  }

  #slice(of: Expression, start: Place): Expression {
    const bound = (closing: string): bigint | undefined => {
      this.#skip();
      const value = this.#text[this.#at] === closing ? undefined : this.#size("a number of bytes");
      this.#skip();
      if (this.#text[this.#at] !== closing) throw errorAt(this.#place(), `expected ${closing}: a slice is [start:end], [:end] or [start:]`);
      this.#at++;
      return value;
    };
    const first = bound(":") ?? 0n;
    const end = bound("]");
    if (end !== undefined && end < first) throw errorAt(start, `a slice cannot end (${end}) before it starts (${first})`);
    return { kind: "slice", of, start: first, end, place: start };
  }

  /** Does something with the expression that was read last. */
  #postfix(start: Place, operator: string, make: (of: Expression) => Item): void {
    const last = this.#frame.literals.pop();
    this.#settle();
    const of: Item | undefined = last === undefined ? this.#frame.items.pop() : { kind: "bytes", bytes: last };
    if (of === undefined || of.kind === "move" || of.kind === "assign") throw errorAt(start, `${operator} must follow an expression`);
    this.#frame.items.push(make(of));
  }

  #name(): string {
    const name = this.#match(NAME)?.[1];
    if (name === undefined) throw errorAt(this.#place(), "expected \\ and a name of letters, digits, - and _");
    return name;
  }

  #size(what: string): bigint {
    const start = this.#place();
    const value = scaled(this.#number(what), this.#match(SUFFIX)?.[0] ?? "");
    if (value > MAX_SIZE) throw errorAt(start, `${value} is too large: a disk ends at 2^63-1 bytes`);
    return value;
  }

  #number(what: string): bigint {
    const start = this.#place();
    const digits = this.#match(NUMBER)?.[0];
    if (digits === undefined) throw errorAt(start, `expected ${what}${this.#found()}`);
    const value = readNumber(digits);
    if (value === undefined) throw errorAt(start, `${digits} is no number: a leading 0 makes it octal, 0x hexadecimal`);
    return value;
  }

  #found(): string {
    const letter = /./suy;
    const found = this.#match(letter)?.[0];
    return found === undefined ? ", found the end" : `, found ${JSON.stringify(found)}`;
  }

  #add(expression: Expression): void {
    this.#settle();
    this.#frame.items.push(expression);
  }

  /** Makes one item of the literals that were read. */
  #settle(): void {
    const { items, literals } = this.#frame;
    if (literals.length === 0) return;
    items.push({ kind: "bytes", bytes: literals.length === 1 ? (literals[0] as Uint8Array) : Buffer.concat(literals) });
    this.#frame.literals = [];
  }

  #close(): Group {
    this.#settle();
    return { kind: "group", items: this.#frame.items, place: this.#frame.place };
  }

  #skip(): void {
    this.#match(SPACE);
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }

  #place(): Place {
    return { source: this.#source, index: this.#at };
  }
}
