// Probabilities as people type them.

import { DiskError } from "../contract/error.ts";

/** How often something happens: `0.1`, `"0.1"`, `"10%"`, `"1:10"`, `"1/10"`. */
export type Probability = number | string;

const decimal = String.raw`(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?`;
const pattern = new RegExp(`^\\s*\\+?(${decimal})(?:(%)|[:/](${decimal}))?$`, "i");

/**
 * Reads a probability as nbdkit takes it: a number, a percentage, or a ratio.
 *
 * @param value - the probability
 * @param name - what it is the probability of, for the error's text
 * @returns 0 to 1
 * @throws DiskError EINVAL when it is no probability
 * @example
 * ```ts
 * parseProbability("10%", "error-rate"); // 0.1
 * parseProbability("1:1000", "error-rate"); // 0.001
 * ```
 */
export function parseProbability(value: Probability, name: string): number {
  const probability = typeof value === "number" ? value : typeof value === "string" ? fromText(value) : Number.NaN;
  if (probability >= 0 && probability <= 1) return probability;
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  const why =
    probability > 1
      ? "that is more than always: expected at most 1, or 100%"
      : 'expected "10%", "0.1", "1e-3", "1:1000" or a number from 0 to 1';
  throw new DiskError("EINVAL", `${name} ${shown}: ${why}`);
}

function fromText(text: string): number {
  const match = pattern.exec(text);
  if (match === null) return Number.NaN;
  const [, first, percent, second] = match;
  if (percent !== undefined) return Number(first) / 100;
  if (second === undefined) return Number(first);
  // Nothing out of nothing is never, as nbdkit has it.
  return Number(first) === 0 ? 0 : Number(first) / Number(second);
}
