// A value that may be there now or later.

import type { Awaitable } from "diskwright";

/** Tells whether `value` has to be waited for. */
export function isPromise<T>(value: Awaitable<T>): value is PromiseLike<T> {
  return value !== undefined && value !== null && typeof (value as PromiseLike<T>).then === "function";
}
