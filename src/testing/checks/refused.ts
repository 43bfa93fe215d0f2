// Calls that are to fail.

import assert from "node:assert/strict";
import { errorCode, errorText } from "../../contract/index.ts";

/** Checks that a call fails with `code`. */
export async function refused(code: string, what: string, call: () => unknown): Promise<void> {
  let error: unknown;
  try {
    await call();
  } catch (thrown) {
    error = thrown;
    assert.equal(errorCode(error), code, `${what} failed with another code: ${errorText(error)}`);
    return;
  }
  assert.fail(`${what} succeeded, expected ${code}`);
}
