// A value that may be there now or later, and the two ways to go on from it without making a promise of a value that is there.

/** A value at hand, or a promise of it. Answer with the value itself where you can: a synchronous answer costs no promise. */
export type Awaitable<T> = T | PromiseLike<T>;

/** Tells whether `value` has to be waited for. */
export function isPromise<T>(value: Awaitable<T>): value is PromiseLike<T> {
  return value !== undefined && value !== null && typeof (value as PromiseLike<T>).then === "function";
}

/** Calls `next` with `value` now, or once it has arrived: synchronous answers stay synchronous. */
export function andThen<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
  return isPromise(value) ? value.then(next) : next(value);
}
