// Checks of what an app passes in, for those who write without a type checker.

import type { Plugin } from "./plugin.ts";
import { checkConcurrency } from "./queue.ts";

/**
 * Checks that `value` is a plugin.
 *
 * @param what - what it is, for the error's text: "the source of pipe()"
 * @throws TypeError saying what it is instead
 */
export function assertPlugin(value: Plugin, what: string): Plugin {
  if (typeof value !== "object" || value === null) throw new TypeError(`${what} is not a plugin: it is ${describe(value)}`);
  if (typeof (value as Partial<Plugin> & { then?: unknown }).then === "function")
    throw new TypeError(`${what} is not a plugin but a promise: await it`);
  if (typeof value.open !== "function") throw new TypeError(`${what} is not a plugin: it has no open()`);
  if (typeof value.name !== "string" || value.name === "") throw new TypeError(`${what} is not a plugin: it has no name`);
  checkConcurrency(value);
  return value;
}

/** Names what was given in place of something else. */
export function describe(value: unknown): string {
  if (typeof value === "function") return `the function ${value.name || "(anonymous)"}: was it to be called?`;
  if (value === null || value === undefined) return String(value);
  return typeof value === "object" ? "an object" : `${typeof value} ${String(value)}`;
}
