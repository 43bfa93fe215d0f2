// What a fuzzed client sends: a recorded session with things done to it. The same seed gives the same bytes.

import { noise, random } from "../../fixtures/bytes.ts";
import { randomPieces } from "../../fixtures/pieces.ts";
import { sessions } from "../../fixtures/sessions.ts";
import { renumber } from "./said.ts";

/** How a client goes when it has said everything. */
export type Ending = "end" | "destroy" | "reset";

/** A session to try. */
export interface FuzzCase {
  readonly seed: number;
  /** Which session it was once. */
  readonly session: string;
  readonly pieces: readonly Buffer[];
  readonly ending: Ending;
  /** Whether the client waits for a turn of the event loop after each piece. */
  readonly patient: boolean;
  /** Whether it listens from the start, or first says all that it has to say. */
  readonly attentive: boolean;
  /** What it comes by: a socket, a pair of streams, or a pair that delivers within the write. */
  readonly way: "socket" | "pair" | "pair at once";
}

/** The longest payload that is read in order to be refused; see limits.drain. */
export const DRAIN: number = 256 * 1024;

type Mutation = (messages: Buffer[], next: () => number) => void;

/** Numbers that lengths, counts and offsets are attacked with. */
const extremes: readonly bigint[] = [
  0n,
  1n,
  3n,
  4n,
  7n,
  8n,
  255n,
  4096n,
  65_535n,
  65_536n,
  65_537n,
  131_072n,
  262_145n,
  2n ** 20n,
  2n ** 24n + 1n,
  2n ** 25n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

const pick = <T>(list: readonly T[], next: () => number): T => list[next() % list.length] as T;
const any = (messages: readonly Buffer[], next: () => number): number => next() % Math.max(1, messages.length);

const mutations: readonly Mutation[] = [
  function flipBits(messages, next) {
    const message = messages[any(messages, next)];
    if (message === undefined || message.length === 0) return;
    for (let i = 1 + (next() % 4); i > 0; i -= 1) {
      const at = next() % Math.min(message.length, next() % 3 === 0 ? message.length : 40);
      message[at] = (message[at] as number) ^ (1 << (next() % 8));
    }
  },
  function attackField(messages, next) {
    const message = messages[any(messages, next)];
    if (message === undefined) return;
    const size = pick([2, 4, 8], next);
    // Headers and the starts of options are where the fields are.
    const at = (next() % 20) * 2;
    if (at + size > message.length) return;
    const value = pick(extremes, next) & (2n ** BigInt(size * 8) - 1n);
    for (let i = 0; i < size; i += 1) message[at + i] = Number((value >> BigInt(8 * (size - 1 - i))) & 0xffn);
  },
  function truncate(messages, next) {
    const index = any(messages, next);
    const message = messages[index];
    if (message !== undefined && message.length > 0) messages[index] = message.subarray(0, next() % message.length);
  },
  function duplicate(messages, next) {
    const index = any(messages, next);
    const message = messages[index];
    if (message !== undefined) messages.splice(index, 0, ...Array.from({ length: 1 + (next() % 3) }, () => Buffer.from(message)));
  },
  function remove(messages, next) {
    if (messages.length > 2) messages.splice(any(messages, next), 1 + (next() % 2));
  },
  function swap(messages, next) {
    const [a, b] = [any(messages, next), any(messages, next)];
    const [first, second] = [messages[a], messages[b]];
    if (first === undefined || second === undefined) return;
    messages[a] = second;
    messages[b] = first;
  },
  function insertNoise(messages, next) {
    messages.splice(any(messages, next), 0, noise(1 + (next() % pick([4, 40, 5000], next)), 1 + (next() % 250)));
  },
  function insertWithin(messages, next) {
    const index = any(messages, next);
    const message = messages[index];
    if (message === undefined) return;
    const at = next() % (message.length + 1);
    messages[index] = Buffer.concat([message.subarray(0, at), noise(1 + (next() % 20), 1 + (next() % 250)), message.subarray(at)]);
  },
  function splice(messages, next) {
    const other = pick(sessions(), next).messages;
    const from = next() % other.length;
    messages.splice(any(messages, next), 0, ...other.slice(from, from + 1 + (next() % 5)).map((message) => Buffer.from(message)));
  },
  function cutOff(messages, next) {
    messages.length = Math.max(1, any(messages, next));
  },
];

/** The case that a seed stands for. */
export function fuzzCase(seed: number): FuzzCase {
  const next = random(seed);
  const { name, messages } = pick(sessions(), next);
  const mutated = messages.map((message) => Buffer.from(message));
  for (let i = next() % 6; i > 0; i -= 1) pick(mutations, next)(mutated, next);
  const bytes = Buffer.concat(mutated);
  renumber(bytes, DRAIN);
  return {
    seed,
    session: name,
    pieces: next() % 4 === 0 ? [bytes] : randomPieces(bytes, next()),
    ending: pick(["end", "end", "end", "destroy", "reset"], next),
    patient: next() % 2 === 0,
    attentive: next() % 4 !== 0,
    way: pick(["socket", "pair", "pair at once"], next),
  };
}
