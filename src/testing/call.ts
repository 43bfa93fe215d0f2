// A call that reaches a layer of a stack, as recorders and faults see it.

import type { ExtentFlags, WriteFlags, ZeroFlags } from "../contract/index.ts";

/** What can be called: of the plugin, then of the disk that it opens. `close plugin` is the plugin's close, `close` that of the disk. */
export type Operation =
  | "start"
  | "preconnect"
  | "exports"
  | "defaultExport"
  | "open"
  | "close plugin"
  | "read"
  | "write"
  | "flush"
  | "trim"
  | "zero"
  | "extents"
  | "cache"
  | "close";

/** One call. As a string: `log: write 512 at 4096, fua`. */
export interface Call {
  /** The name of the layer that it reached. */
  readonly layer: string;
  readonly operation: Operation;
  /** The export that was asked for (`open`). */
  readonly exportName?: string;
  /** Where, in bytes. */
  readonly offset?: bigint;
  /** How much, in bytes. */
  readonly length?: bigint;
  /** Those of the request's own kind. */
  readonly flags?: Partial<WriteFlags & ZeroFlags & ExtentFlags>;
  toString(): string;
}

/** Makes a call that describes itself. */
export function call(layer: string, operation: Operation, details: Partial<Call> = {}): Call {
  return { layer, operation, ...details, toString: describe };
}

function describe(this: Call): string {
  const { layer, operation, exportName, offset, length, flags = {} } = this;
  const set = Object.entries(flags).flatMap(([flag, on]) => (on ? [flag] : []));
  const what = exportName === undefined ? "" : ` ${JSON.stringify(exportName)}`;
  const where = offset === undefined ? "" : ` ${length} at ${offset}`;
  return [`${layer}: ${operation}${what}${where}`, ...set].join(", ");
}
