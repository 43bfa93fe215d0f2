// Steps that must all be taken, such as the closing of several things, without losing what fails.

import { type Awaitable, isPromise } from "./awaitable.ts";
import { errorCode, errorText } from "./error.ts";

/**
 * Takes every step in order, whatever became of those before. What failed is thrown: as it is when it is one error, as an
 * AggregateError with the code and text of the first when there are several.
 */
export async function everyStep(...steps: readonly (() => Awaitable<unknown>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      const done = step();
      if (isPromise(done)) await done;
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 1)
    throw Object.assign(new AggregateError(errors, errors.map(errorText).join("; then ")), { code: errorCode(errors[0]) });
  if (errors.length === 1) throw errors[0];
}

/** Cleans up after `error` and throws it, together with what fails in cleaning up. */
export async function failAfter(error: unknown, ...steps: readonly (() => Awaitable<unknown>)[]): Promise<never> {
  await everyStep(
    () => {
      throw error;
    },
    ...steps,
  );
  throw error;
}
