// What reached a layer, in order: for tests of the order in which a stack of filters calls what.

import type { Filter } from "../contract/index.ts";
import type { Call } from "./call.ts";
import { intercept } from "./intercept.ts";

/**
 * A filter that changes nothing and adds each call that reaches it to `calls`.
 *
 * @param name - what it is called in the list, so that several layers can share one
 * @example What a filter makes of a write
 * ```ts
 * const calls: Call[] = [];
 * await using disk = await openDisk(pipe(ram(4096), recorded("below", calls), myFilter(), recorded("above", calls)));
 * await disk.write(new Uint8Array(512), 0n, { fua: true });
 * assert.deepEqual(calls.map(String).slice(-2), ["above: write 512 at 0, fua", "below: write 512 at 0, fua"]);
 * ```
 */
export function recorded(name: string, calls: Call[]): Filter {
  return intercept(name, (call) => {
    calls.push(call);
  });
}
