// What a client is told when a file is damaged.

import { DiskError } from "diskwright";
import type { Blocks } from "./blocks.ts";
import { FormatError } from "./format/fields.ts";
import { DamagedError } from "./pool.ts";

/** The error of a block that cannot be decoded; others, such as those of the disk below, stay as they are. */
export function damaged(error: unknown, number: number, { block, count }: Blocks): unknown {
  if (!(error instanceof DamagedError)) return error;
  const { start, at } = block(number);
  const text = `block ${number + 1} of ${count} of the xz file, at its byte ${at}, cannot be decompressed: ${error.message}`;
  return new DiskError("EIO", text, { offset: BigInt(start), cause: error });
}

/** The error of a file that cannot be opened. */
export function unusable(error: unknown): unknown {
  return error instanceof FormatError ? new DiskError("EINVAL", `the xz file cannot be read: ${error.message}`, { cause: error }) : error;
}
