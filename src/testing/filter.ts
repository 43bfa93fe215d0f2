// The conformance suite for filters.

import type { Awaitable, Capabilities, Filter, Plugin } from "../contract/index.ts";
import { pipe } from "../contract/index.ts";
import { register, type TestFunction } from "./check.ts";
import { filterChecks } from "./checks/filter.ts";
import { runFilterCheck } from "./filter-bench.ts";
import { allSorts, modelOf } from "./filter-model.ts";
import { type PluginTestOptions, testPlugin } from "./plugin.ts";
import { classRam, type Ram, ram } from "./ram.ts";

/** What {@link testFilter} is told. Only `test` and `filter` are needed; `transparent` or `model` make the tests much stricter. */
export interface FilterTestOptions
  extends Pick<PluginTestOptions, "test" | "name" | "exportName" | "expect" | "random" | "forgets" | "routes" | "timeout" | "seed"> {
  /** The author's own test function: vitest's or node:test's `test`, mocha's `it`. */
  readonly test: TestFunction;
  /** Makes the filter, anew for each test. */
  filter(): Awaitable<Filter>;
  /** Puts away what `filter` made, after each test. */
  cleanup?(): Awaitable<void>;
  /** What the disk below holds. Default: 256 KiB of all sorts of bytes and zeroes. */
  readonly content?: Uint8Array;
  /** The bytes are those of the disk below, and so is what can be done with them. Default: false. */
  readonly transparent?: boolean;
  /** What is read when the disk below holds these bytes: cut, decrypted, unpacked. It is also asked what was written, once it has reached the disk below. */
  model?(below: Uint8Array): Uint8Array;
  /** What is written does not reach the disk below, as with an overlay. Default: false. */
  readonly holdsWrites?: boolean;
  /** What a transparent filter takes away from the disk all the same. Default: nothing. */
  readonly takesAway?: readonly (keyof Capabilities)[];
  /** Errors of the disk below need not reach the client, as with a filter that tries again. Default: false. */
  readonly hidesErrors?: boolean;
}

/**
 * Registers tests of the contract for a filter: all those of {@link testPlugin}, over a disk that can do everything and over one of a class
 * that can do little, and that flags, errors and the end of a client reach the disk below.
 *
 * @example A filter that changes nothing about the bytes
 * ```ts
 * describe("log", () => testFilter({ test, filter: () => myLog({ to: () => undefined }), transparent: true }));
 * ```
 * @example One that shows a part of the disk
 * ```ts
 * testFilter({ test, filter: () => myOffset({ offset: "1k", range: "100k" }), model: (below) => below.subarray(1024, 103_424) });
 * ```
 * @example One that needs something to work on
 * ```ts
 * import { gunzipSync } from "node:zlib";
 *
 * testFilter({ test, filter: () => myGunzip(), content: myZipped, model: (below) => gunzipSync(below), expect: { write: false } });
 * ```
 */
export function testFilter(options: FilterTestOptions): void {
  const content = options.content ?? allSorts(256 * 1024);
  const foundations: Readonly<Record<string, (bytes: Uint8Array) => Ram>> = {
    "over a disk that can do everything": ram,
    "over a class's disk": classRam,
  };
  for (const [over, foundation] of Object.entries(foundations)) {
    const name = options.name === undefined ? over : `${options.name}: ${over}`;
    testPlugin({ ...pluginOptions(options, content, foundation), name });
    for (const check of filterChecks) {
      register(options.test, `${name}: ${check.name}`, () => runFilterCheck(check, options, content, foundation));
    }
  }
}

/** What of a filter's disk the suite for plugins tests. */
function pluginOptions(options: FilterTestOptions, content: Uint8Array, foundation: (bytes: Uint8Array) => Ram): PluginTestOptions {
  const { test, exportName, expect, random, forgets, routes, timeout, seed, holdsWrites = false, cleanup } = options;
  const model = modelOf(options);
  const below = new WeakMap<Plugin, Ram>();
  return {
    test,
    async factory() {
      const source = foundation(content);
      const plugin = pipe(source, await options.filter());
      below.set(plugin, source);
      return plugin;
    },
    ...(cleanup && { cleanup: () => cleanup() }),
    ...(model && { content: model(Uint8Array.from(content)) }),
    ...(!holdsWrites && { crash: async (plugin) => pipe((below.get(plugin) as Ram).afterPowerCut(), await options.filter()) }),
    ...(exportName !== undefined && { exportName }),
    ...(expect && { expect }),
    ...(random !== undefined && { random }),
    ...(forgets !== undefined && { forgets }),
    ...(routes && { routes }),
    ...(timeout !== undefined && { timeout }),
    ...(seed !== undefined && { seed }),
  };
}
