// `error`: requests that fail on purpose, to see how a client takes it.

import { existsSync } from "node:fs";
import { type Gate, type Gated, gated } from "../common/gated.ts";
import { type Probability, parseProbability } from "../common/probability.ts";
import { wrappingFilter } from "../common/wrapping.ts";
import { DiskError } from "../contract/error.ts";
import type { Filter } from "../contract/plugin.ts";

/** The errors that NBD has words for. */
export type InjectedError = "EPERM" | "EIO" | "ENOMEM" | "EINVAL" | "ENOSPC" | "ESHUTDOWN";

/** Which requests fail, how often and how. */
export interface Injection {
  /** What they fail with. Default: `EIO`. */
  readonly error?: InjectedError;
  /** How often: `0.1`, `"10%"`, `"1:10"`. Default: never. */
  readonly rate?: Probability;
  /** They fail only while there is a file of this name. */
  readonly file?: string;
  /** They fail only while this answers true. */
  readonly when?: () => boolean;
}

/** What {@link error} is told: for all requests, and for those of a kind what is different for them. */
export interface ErrorOptions extends Injection {
  readonly read?: Injection;
  readonly write?: Injection;
  readonly trim?: Injection;
  readonly zero?: Injection;
  readonly extents?: Injection;
  readonly cache?: Injection;
  /** Numbers from 0 to 1, as `Math.random` gives them (the default). */
  readonly random?: () => number;
}

/** Kinds of requests by what nbdkit calls them, as the error's text does. */
const kinds: Readonly<Record<Gated, string>> = {
  read: "pread",
  write: "pwrite",
  trim: "trim",
  zero: "zero",
  extents: "extents",
  cache: "cache",
};
const errors: readonly unknown[] = ["EPERM", "EIO", "ENOMEM", "EINVAL", "ENOSPC", "ESHUTDOWN"];

/**
 * Has requests fail before they reach the disk below.
 *
 * @throws DiskError EINVAL for an error that NBD has no word for, or a rate that is no probability
 * @example Every tenth request fails
 * ```ts
 * const disk = pipe(memory("1G"), error({ rate: "10%" }));
 * ```
 * @example A disk that is full, once the test says so
 * ```ts
 * let full = false;
 * const noSpace = { error: "ENOSPC", rate: 1, when: () => full } as const;
 * const disk = pipe(memory("1G"), error({ write: noSpace, zero: noSpace }));
 * ```
 */
export function error(options: ErrorOptions = {}): Filter {
  const { random = Math.random } = options;
  const gates: { [K in Gated]?: Gate | undefined } = {};
  for (const kind of Object.keys(kinds) as Gated[]) gates[kind] = gate(kind, options, random);
  return wrappingFilter("error", (disk) => gated(disk, gates));
}

/** What stands in the way of requests of one kind, if anything does. */
function gate(kind: Gated, options: ErrorOptions, random: () => number): Gate | undefined {
  const own = options[kind];
  const name = (option: string): string => (own?.[option as keyof Injection] === undefined ? option : `${kind}.${option}`);
  const code = own?.error ?? options.error ?? "EIO";
  if (!errors.includes(code)) throw new DiskError("EINVAL", `${name("error")} ${JSON.stringify(code)}: expected ${errors.join(", ")}`);
  const rate = parseProbability(own?.rate ?? options.rate ?? 0, name("rate"));
  const file = own?.file ?? options.file;
  const when = own?.when ?? options.when;
  if (rate === 0) return undefined;
  return () => {
    if (file !== undefined && !existsSync(file)) return;
    if (when !== undefined && !when()) return;
    // Certain means certain, whatever the random numbers are.
    if (rate < 1 && random() >= rate) return;
    throw new DiskError(code, `injecting ${code} error into ${kinds[kind]}`);
  };
}
