#!/usr/bin/env node
// The entry of the `diskwright` program.

import { main } from "./commands.ts";
import { filters } from "./filters.ts";
import { findFilter, findPlugin, firstParty } from "./packages.ts";
import { plugins } from "./plugins.ts";

// Whoever reads our output may stop doing so: that is no error of ours.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || error.code === "ECONNRESET") return;
    process.stderr.write(`diskwright: cannot write the output: ${error.message}\n`);
    process.exit(1);
  });
}

void main(process.argv.slice(2), process, { plugins, filters, findPlugin, findFilter, packaged: firstParty }).then((code) => {
  process.exitCode = code;
  if (process.stdout.writableLength === 0) process.exit();
  process.stdout.once("drain", () => process.exit());
});
