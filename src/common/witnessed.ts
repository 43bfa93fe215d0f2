// Requests that somebody looks on at, before and after, without changing them: for logs and statistics.

import { type Awaitable, isPromise } from "../contract/awaitable.ts";
import type { Extent } from "../contract/connection.ts";
import type { Disk } from "../contract/disk.ts";
import type { ExtentFlags, WriteFlags, ZeroFlags } from "../contract/flags.ts";
import type { Wrapping } from "./wrapping.ts";

/** What is looked on at. */
export type Witnessed = "read" | "write" | "flush" | "trim" | "zero" | "extents" | "cache";

/** Who looks on. */
export interface Witness<Token> {
  /** A request goes down. What this answers identifies it when it comes back. */
  entered(
    operation: Witnessed,
    offset: bigint,
    length: bigint | number,
    flags: Partial<WriteFlags & ZeroFlags & ExtentFlags> | undefined,
  ): Token;
  /** It has come back, with an error if it failed; the client's answer waits for a promise that this gives, which must not fail. */
  left(token: Token, error: { readonly error: unknown } | undefined, extents: readonly Extent[] | undefined): Awaitable<void>;
}

/**
 * The requests of a disk, each shown to `witness` on its way down and back. What is lent (`views`) counts as read, what is received into lent room
 * as written once it is.
 *
 * @param views - whether bytes may be lent: the witness cannot have those wait
 */
export function witnessed<Token>(disk: Disk, witness: Witness<Token>, views = true): Wrapping {
  const { capabilities: can } = disk;

  // The arguments are spelled out so that a request that is answered at once makes no closure.
  function call<T, A, B, C>(token: Token, method: (a: A, b: B, c: C) => Awaitable<T>, a: A, b: B, c: C): Awaitable<T> {
    let answer: Awaitable<T>;
    try {
      answer = method(a, b, c);
    } catch (error) {
      return fail(token, error);
    }
    return isPromise(answer)
      ? answer.then(
          (value) => finish(token, value),
          (error: unknown) => fail(token, error),
        )
      : finish(token, answer);
  }

  function finish<T>(token: Token, value: T): Awaitable<T> {
    const wait = witness.left(token, undefined, value as readonly Extent[] | undefined);
    return isPromise(wait) ? wait.then(() => value) : value;
  }

  function fail(token: Token, error: unknown): Promise<never> {
    const wait = witness.left(token, { error }, undefined);
    if (!isPromise(wait)) throw error;
    return Promise.resolve(wait).then(() => Promise.reject(error as Error));
  }

  return {
    read: (target, offset) => call(witness.entered("read", offset, target.length, undefined), disk.read, target, offset, undefined),
    ...(disk.views &&
      views && {
        views(offset, length) {
          const lent = disk.views?.(offset, length);
          if (lent !== undefined) void witness.left(witness.entered("read", offset, length, undefined), undefined, undefined);
          return lent;
        },
      }),
    ...(can.write && {
      write: (source, offset, flags) => call(witness.entered("write", offset, source.length, flags), disk.write, source, offset, flags),
      zero: (offset, length, flags) => call(witness.entered("zero", offset, length, flags), disk.zero, offset, length, flags),
    }),
    ...(disk.room && { room: disk.room }),
    ...(can.flush && { flush: () => call(witness.entered("flush", 0n, 0, undefined), disk.flush, undefined, undefined, undefined) }),
    ...(can.trim && {
      trim: (offset, length, flags) => call(witness.entered("trim", offset, length, flags), disk.trim, offset, length, flags),
    }),
    ...(can.extents && {
      extents: (offset, length, flags) => call(witness.entered("extents", offset, length, flags), disk.extents, offset, length, flags),
    }),
    ...(can.cache !== "none" && {
      cache: (offset, length) => call(witness.entered("cache", offset, length, undefined), disk.cache, offset, length, undefined),
    }),
  };
}
