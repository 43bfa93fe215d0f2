// The rules of the contract that a disk has to keep.

import type { Check } from "../check.ts";
import { closing } from "./closing.ts";
import { concurrency } from "./concurrency.ts";
import { durability } from "./durability.ts";
import { extents } from "./extents.ts";
import { opening } from "./opening.ts";
import { randomOperations } from "./random-operations.ts";
import { reading } from "./reading.ts";
import { writing } from "./writing.ts";
import { zeroing } from "./zeroing.ts";

/** All of them, in the order in which an author meets them. */
export const checks: readonly Check[] = [
  ...opening,
  ...reading,
  ...extents,
  ...writing,
  ...zeroing,
  ...durability,
  ...concurrency,
  ...randomOperations,
  ...closing,
];
