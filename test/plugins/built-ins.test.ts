// Every plugin of the command keeps the contract beneath all filters that are to change nothing, at once.

import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { plugins } from "../../src/cli/plugins.ts";
import {
  data,
  evalScripts,
  file,
  floppy,
  full,
  info,
  iso,
  memory,
  nbd,
  nullDisk,
  ones,
  type Plugin,
  partitioning,
  pattern,
  pipe,
  random,
  readonly,
  serve,
  sh,
  sparseRandom,
  split,
  zeroDisk,
} from "../../src/index.ts";
import { type PluginTestOptions, testPlugin } from "../../src/testing/index.ts";
import { describeWith } from "../fixtures/tools.ts";
import { transparent } from "../fixtures/transparent.ts";
import { tree } from "../fixtures/tree.ts";

interface Built extends Partial<Omit<PluginTestOptions, "test" | "factory" | "routes">> {
  make(): Plugin | Promise<Plugin>;
  /** Programs that it needs. */
  readonly needs?: readonly string[];
}

/** A disk that is a script, which knows nothing of the contract. */
const script = `#!/bin/sh
case "$1" in
  get_size) echo 65536 ;;
  pread) head -c "$3" /dev/zero | tr '\\0' x ;;
  *) exit 2 ;;
esac
`;

const built: Readonly<Record<string, Built>> = {
  data: { make: () => data('( "some data" @100 )*100 @20000 ( 1 2 3 )*1000'), persistent: false },
  eval: { make: () => evalScripts({ methods: { get_size: "echo 65536", pread: "head -c $3 /dev/zero" } }), timeout: 60_000 },
  file: { make: () => file(sparse()), persistent: true },
  floppy: { make: () => floppy(tree({ "a file.txt": "text".repeat(1000), "folder/b": "b" })) },
  // What is written to it does not fit, as it says.
  full: { make: () => pipe(full("1M"), readonly()) },
  info: { make: () => info({ mode: "version" }) },
  iso: { make: () => iso(tree({ a: "text" })), needs: ["xorriso"] },
  memory: { make: () => memory("1M"), persistent: true },
  nbd: {
    async make() {
      const server = await serve(memory("1M"));
      onTestFinished(() => server.close());
      return nbd(server.uri as string);
    },
    persistent: true,
  },
  null: { make: () => nullDisk("1M"), forgets: true },
  ones: { make: () => ones("1M"), forgets: true },
  // Between the partitions nothing may be written.
  partitioning: { make: () => pipe(partitioning([{ source: memory("1M") }, { source: memory("2M") }]), readonly()) },
  pattern: { make: () => pattern("1M") },
  // Only what is there already may be written to these two.
  random: { make: () => pipe(random("1M", { seed: 1 }), readonly()) },
  "sparse-random": { make: () => pipe(sparseRandom("1M", { seed: 1 }), readonly()) },
  sh: { make: () => sh({ source: script }), timeout: 60_000 },
  split: { make: () => split([memory(100_001), memory("1M")]), persistent: true },
  zero: { make: () => zeroDisk() },
};

/** A file of a mebibyte without content. */
function sparse(): string {
  const path = join(tree(), "disk.img");
  writeFileSync(path, "");
  truncateSync(path, 1024 * 1024);
  return path;
}

test("no plugin is left out", () => {
  expect(Object.keys(built).sort()).toEqual(plugins.map(({ name }) => name).sort());
});

for (const [name, { make, needs = [], ...options }] of Object.entries(built)) {
  const declare = (): void =>
    testPlugin({
      ...options,
      test,
      factory: async () => pipe(await make(), ...Object.values(transparent).map((filter) => filter())),
      routes: ["directly"],
    });
  if (needs.length === 0) describe(name, declare);
  else describeWith(needs, name, declare);
}
