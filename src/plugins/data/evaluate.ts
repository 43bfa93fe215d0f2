// From what was read of an expression to its content: scopes, names and variables, offsets, files and scripts.

import { MAX_SIZE } from "../../contract/size.ts";
import { bytes, type Content, Painter, repeat, slice } from "./content.ts";
import { parse } from "./parse.ts";
import { readFrom, runScript } from "./sources.ts";
import { type Expression, errorAt, type Group, type Item, type Place } from "./syntax.ts";

/** Where the values of `$NAME` come from. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** Groups, repetitions and names within each other. */
const MAX_DEPTH = 500;
/** Expressions that are worked through: names and variables can make any number of them of a short text. */
const MAX_STEPS = 10_000_000;

/** A name and what it stands for. A scope is a chain of these: what is defined later is found first. */
interface Scope {
  readonly name: string;
  readonly of: Expression;
  readonly scope: Scope | undefined;
  /** What it came to, by how much of it was wanted. */
  readonly known: Map<bigint, Content>;
  readonly outer: Scope | undefined;
}

/**
 * Finds out what an expression comes to.
 *
 * @param limit - no more bytes of it than these are wanted
 * @throws DiskError that says in which line and column something is wrong
 */
export function evaluate(group: Group, variables: Variables, limit: bigint, signal: AbortSignal): Promise<Content> {
  return new Evaluation(variables, signal).content(group, undefined, limit, 0);
}

class Evaluation {
  readonly #variables: Variables;
  readonly #signal: AbortSignal;
  readonly #parsed: Map<string, Group> = new Map();
  /** Variables that are being worked through. */
  readonly #using: Set<string> = new Set();
  #steps = 0;

  constructor(variables: Variables, signal: AbortSignal) {
    this.#variables = variables;
    this.#signal = signal;
  }

  /** `limit` says how much is wanted: what is endless ends there. More may come. */
  async content(of: Expression, scope: Scope | undefined, limit: bigint, depth: number): Promise<Content> {
    if (of.kind === "bytes") return bytes(of.bytes);
    if (depth > MAX_DEPTH) throw errorAt(of.place, `this is nested more than ${MAX_DEPTH} deep`);
    if (++this.#steps > MAX_STEPS) throw errorAt(of.place, `the expression has more than ${MAX_STEPS} parts`);
    switch (of.kind) {
      case "file":
        return readFrom(of.path, limit, of.place, this.#signal);
      case "script":
        return runScript(of.script, limit, of.place, this.#signal);
      case "name":
        return this.#named(of.name, of.place, scope, limit, depth);
      case "variable":
        return this.#variable(of.name, of.place, scope, limit, depth);
      case "group":
        return this.#group(of, scope, limit, depth);
      case "repeat": {
        const once = await this.content(of.of, scope, limit, depth + 1);
        if (once.size * of.times > MAX_SIZE) throw errorAt(of.place, `${once.size} bytes ${of.times} times: a disk ends at 2^63-1 bytes`);
        return repeat(once, of.times);
      }
      case "slice": {
        const whole = await this.content(of.of, scope, of.end ?? limit, depth + 1);
        const end = of.end ?? whole.size;
        if (of.start > end || end > whole.size) {
          throw errorAt(of.place, `there is no slice from ${of.start} to ${of.end ?? "the end"} of ${whole.size} bytes`);
        }
        return slice(whole, of.start, end);
      }
    }
  }

  async #group({ items }: Group, outer: Scope | undefined, limit: bigint, depth: number): Promise<Content> {
    const painter = new Painter();
    let scope = outer;
    let offset = 0n;
    let size = 0n;
    for (const [index, item] of items.entries()) {
      if (item.kind === "assign") {
        scope = { name: item.name, of: item.of, scope, known: new Map(), outer: scope };
        continue;
      }
      if (item.kind === "move") offset = moved(item, offset);
      else {
        // What follows an expression may depend on how long that is, so only the last one can be cut short.
        const wanted = index < items.length - 1 ? MAX_SIZE : limit > offset ? limit - offset : 0n;
        const content = await this.content(item, scope, wanted, depth + 1);
        painter.put(offset, content);
        offset += content.size;
        if (offset > MAX_SIZE && item.kind !== "bytes")
          throw errorAt(item.place, `this ends at byte ${offset}: a disk ends at 2^63-1 bytes`);
      }
      if (offset > size) size = offset;
    }
    return painter.finish(size);
  }

  async #named(name: string, place: Place, scope: Scope | undefined, limit: bigint, depth: number): Promise<Content> {
    let found = scope;
    while (found !== undefined && found.name !== name) found = found.outer;
    if (found === undefined) throw errorAt(place, `\\${name} has not been defined here: write expression -> \\${name} before`);
    const known = found.known.get(limit);
    if (known !== undefined) return known;
    const content = await this.content(found.of, found.scope, limit, depth + 1);
    found.known.set(limit, content);
    return content;
  }

  async #variable(name: string, place: Place, scope: Scope | undefined, limit: bigint, depth: number): Promise<Content> {
    const text = Object.hasOwn(this.#variables, name) ? this.#variables[name] : undefined;
    if (text === undefined) throw errorAt(place, `there is no $${name}: neither a parameter ${name}=… nor an environment variable`);
    if (this.#using.has(name)) throw errorAt(place, `$${name} uses itself`);
    const group = this.#parsed.get(name) ?? parse({ text, name: ` of $${name}` });
    this.#parsed.set(name, group);
    this.#using.add(name);
    const content = await this.content(group, scope, limit, depth + 1);
    this.#using.delete(name);
    return content;
  }
}

/** Where the next byte goes. */
function moved({ how, by, place }: Extract<Item, { kind: "move" }>, offset: bigint): bigint {
  const to = how === "@" ? by : how === "@+" ? offset + by : how === "@-" ? offset - by : ((offset + by - 1n) / by) * by;
  if (to < 0n) throw errorAt(place, `@-${by} from byte ${offset} would be before the start`);
  if (to > MAX_SIZE) throw errorAt(place, `${how}${by} is byte ${to}: a disk ends at 2^63-1 bytes`);
  return to;
}
