// Every plugin and filter of the command has its page, and the page has every key.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { plugins as httpPlugins } from "../../plugins/http/src/command.ts";
import { plugins as s3Plugins } from "../../plugins/s3/src/command.ts";
import { plugins as tmpdiskPlugins } from "../../plugins/tmpdisk/src/command.ts";
import { plugins as torrentPlugins } from "../../plugins/torrent/src/command.ts";
import { plugins as vddkPlugins } from "../../plugins/vddk/src/command.ts";
import { filters as xzFilters } from "../../plugins/xz/src/command.ts";
import { filters as zstdFilters } from "../../plugins/zstd/src/command.ts";
import type { Entry } from "../../src/cli/catalogue.ts";
import { filters } from "../../src/cli/filters.ts";
import { plugins } from "../../src/cli/plugins.ts";

const docs: string = join(import.meta.dirname, "../../docs");
const table: string = readFileSync(join(docs, "command-line.md"), "utf8");
const index: string = readFileSync(join(docs, "README.md"), "utf8");

/** nbdkit's names of plugins that have another name here, and that one's page. */
const aliases: ReadonlySet<string> = new Set(["S3", "curl"]);

/** What the command has of its own, and what comes in packages. */
const kinds: readonly [string, readonly Entry[], readonly Entry[]][] = [
  [
    "plugins",
    plugins,
    [...httpPlugins, ...s3Plugins, ...tmpdiskPlugins, ...torrentPlugins, ...vddkPlugins].filter(({ name }) => !aliases.has(name)),
  ],
  ["filters", filters, [...xzFilters, ...zstdFilters]],
];
for (const [kind, own, packaged] of kinds) {
  describe(kind, () => {
    test("are listed in alphabetical order, each once", () => {
      const names = own.map(({ name }) => name);
      expect(names).toEqual([...new Set(names)].sort());
    });
    for (const entry of [...own, ...packaged]) {
      test(entry.name, () => {
        const path = join(docs, kind, `${entry.name}.md`);
        expect(existsSync(path), `docs/${kind}/${entry.name}.md`).toBe(true);
        const page = readFileSync(path, "utf8");
        const missing = Object.keys(entry.keys).filter((key) => !page.includes(`\`${key}`) && !page.includes(`${key}=`));
        expect(missing, "keys that the page does not have").toEqual([]);
        expect(table).toContain(`[\`${entry.name}\`](${kind}/${entry.name}.md)`);
        expect(index).toContain(`| [\`${entry.name}\`](${kind}/${entry.name}.md) | ${entry.summary} |`);
      });
    }
  });
}
