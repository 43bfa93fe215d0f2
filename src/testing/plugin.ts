// The conformance suite for plugins.

import type { Awaitable, Capabilities, Plugin } from "../contract/index.ts";
import { runCheck } from "./bench.ts";
import { register, type TestFunction } from "./check.ts";
import { checks } from "./checks/index.ts";
import { type RouteName, routes } from "./routes.ts";

/** What {@link testPlugin} is told. Only `test` and `factory` are needed. */
export interface PluginTestOptions {
  /** The author's own test function: vitest's or node:test's `test`, mocha's `it`. */
  readonly test: TestFunction;
  /** Makes the plugin, anew for each test. */
  factory(): Awaitable<Plugin>;
  /** Puts away what `factory` made, after each test; the plugin is closed by then. */
  cleanup?(plugin: Plugin): Awaitable<void>;
  /** How test names begin. Default: they do not say which plugin. */
  readonly name?: string;
  /** Which export is tested. Default: the default export. */
  readonly exportName?: string;
  /** What the disk holds when it is opened, from its first byte on. Default: whatever it reads as. */
  readonly content?: Uint8Array;
  /** What the disk must be able to do. A capability that got lost then fails, where its tests would only be skipped. */
  readonly expect?: Partial<Capabilities>;
  /** Every read gives other bytes. Default: false. */
  readonly random?: boolean;
  /** What is written is thrown away, as by a null disk. Default: false. */
  readonly forgets?: boolean;
  /** What is written is there when the disk is closed and opened again. Default: false, and not tested. */
  readonly persistent?: boolean;
  /**
   * Makes a plugin over what is on stable storage at this moment, as it would be found after a power cut. Without it nobody can tell
   * whether flush and FUA do anything, and that is not tested.
   */
  crash?(plugin: Plugin): Awaitable<Plugin>;
  /** The ways on which the disk is tested. Default: all three. */
  readonly routes?: readonly RouteName[];
  /** Milliseconds for each test, beside what the test function itself allows. Default: 10,000. */
  readonly timeout?: number;
  /** Only one client can have it at a time. Default: false. */
  readonly exclusive?: boolean;
  /** What random operations start from: the same ones for the same seed. Default: 1. */
  readonly seed?: number;
}

/**
 * Registers tests of the contract for a plugin: each rule directly, through a filter, and over a real socket with this package's client
 * and server. Rules that do not apply, as the plugin has not the capability, are shown as skipped with the reason.
 *
 * The plugin's disk is written to. Its first 320 KiB and last 64 KiB are tested.
 *
 * @example With vitest
 * ```ts
 * import { describe, test } from "vitest";
 * import { testPlugin } from "diskwright/testing";
 *
 * describe("memory", () => {
 *   testPlugin({ test, factory: () => memory("1M"), expect: { write: true, trim: true } });
 * });
 * ```
 * @example With node:test, a read-only disk whose bytes are known
 * ```ts
 * import { test } from "node:test";
 *
 * testPlugin({ test, factory: () => myText("hello "), content: Buffer.from("hello ") });
 * ```
 * @example A disk in a file, with what is needed to test that flush and FUA hold
 * ```ts
 * testPlugin({
 *   test,
 *   factory: async () => myFile(await myTemporaryCopy("disk.img")),
 *   cleanup: myRemoveTemporaryFiles,
 *   persistent: true,
 * });
 * ```
 */
export function testPlugin(options: PluginTestOptions): void {
  for (const route of options.routes ?? (Object.keys(routes) as RouteName[])) {
    for (const check of checks) {
      const name = [options.name, route, check.name].filter((part) => part !== undefined).join(": ");
      register(options.test, name, () => runCheck(check, route, options));
    }
  }
}
