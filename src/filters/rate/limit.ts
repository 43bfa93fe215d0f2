// A rate that may change: a number, what a function answers, or what stands in a file.

import { readFileSync } from "node:fs";
import type { Clock } from "../../contract/clock.ts";
import { DiskError, errorText } from "../../contract/error.ts";
import { parseSize, type Size } from "../../contract/size.ts";

/** Bits per second: `1_000_000`, `"1M"` (2^20). A function is asked for each request; `undefined` is no limit. */
export type BitRate = Size | (() => Size | undefined);

/** The file is read at most this often, in milliseconds. */
const FILE_INTERVAL = 100;

/**
 * The rate as a function that answers in bits per second.
 *
 * @returns undefined where no limit was given nor can come
 * @throws DiskError EINVAL for what is no rate
 */
export function limitOf(
  rate: BitRate | undefined,
  file: string | undefined,
  name: string,
  clock: Clock,
): (() => number | undefined) | undefined {
  if (file !== undefined && (typeof file !== "string" || file === ""))
    throw new DiskError("EINVAL", `${name}File ${JSON.stringify(file)}: expected a path`);
  if (rate === undefined && file === undefined) return undefined;
  const fixed = typeof rate === "function" || rate === undefined ? undefined : parseRate(rate, name);
  const given =
    typeof rate !== "function"
      ? () => fixed
      : () => {
          const now = rate();
          return now === undefined ? undefined : parseRate(now, name);
        };
  return file === undefined ? given : fromFile(file, given, name, clock);
}

function parseRate(rate: Size, name: string): number {
  const bits = Number(parseSize(rate, name));
  if (bits === 0) throw new DiskError("EINVAL", `${name} 0: expected at least 1 bit per second`);
  return bits;
}

/** What stands in the file, or stood there last; before there is one, what was given. */
function fromFile(file: string, given: () => number | undefined, name: string, clock: Clock): () => number | undefined {
  let last: number | undefined;
  let text: string | undefined;
  let next = clock.now();
  return () => {
    if (clock.now() >= next) {
      next = clock.now() + FILE_INTERVAL;
      const found = read(file);
      if (found !== undefined && found !== text) {
        text = found;
        try {
          last = parseRate(found, name);
        } catch (error) {
          process.emitWarning(`diskwright: ${file}: ${errorText(error)}`, "DiskwrightWarning");
        }
      }
    }
    return last ?? given();
  };
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}
