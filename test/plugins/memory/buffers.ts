// How much memory is in buffers, once the garbage is gone.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

/** Collects garbage. The second collection starts when what the first one found is gone. */
export function collect(): void {
  gc();
  gc();
}

/** Bytes in buffers now, as V8 knows them. */
export function inBuffers(): number {
  collect();
  return process.memoryUsage().arrayBuffers;
}
