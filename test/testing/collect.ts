// Runs a suite of the kit by itself, for tests of what it finds.

import { errorText } from "../../src/contract/index.ts";
import type { TestFunction } from "../../src/testing/index.ts";

/** What became of a suite. */
export interface Outcome {
  readonly passed: readonly string[];
  readonly skipped: ReadonlyMap<string, string>;
  readonly failed: ReadonlyMap<string, string>;
}

/** Registers tests with `suite` and runs them one after the other, up to one that fails as `enough` says. */
export async function outcomeOf(suite: (test: TestFunction) => void, enough?: (name: string, text: string) => boolean): Promise<Outcome> {
  const tests: [string, (context: unknown) => Promise<void>][] = [];
  suite((name, body) => tests.push([name, body]));
  const passed: string[] = [];
  const skipped = new Map<string, string>();
  const failed = new Map<string, string>();
  for (const [name, body] of tests) {
    try {
      await body({ skip: (reason: string) => skipped.set(name, reason) });
      if (!skipped.has(name)) passed.push(name);
    } catch (error) {
      failed.set(name, errorText(error));
      if (enough?.(name, errorText(error))) break;
    }
  }
  return { passed, skipped, failed };
}
