// Runs a benchmark that is written in TypeScript: `node bench/run.mjs NAME [options]` bundles bench/NAME.ts with what it imports and starts that.

import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "tsup";

const root = join(import.meta.dirname, "..");
const [name, ...parameters] = process.argv.slice(2);
const names = readdirSync(import.meta.dirname).flatMap((file) => (file.endsWith(".ts") ? [file.slice(0, -3)] : []));
if (name === undefined || !existsSync(join(import.meta.dirname, `${name}.ts`))) {
  console.error(`usage: node bench/run.mjs ${names.join("|")} [options]`);
  process.exit(2);
}

const outDir = join(root, "node_modules/.cache/diskwright-bench");
await build({
  entry: { [name]: join(import.meta.dirname, `${name}.ts`) },
  outDir,
  config: false,
  format: "esm",
  platform: "node",
  target: "node20",
  splitting: false,
  sourcemap: true,
  clean: false,
  silent: true,
});

const child = spawn(process.execPath, ["--enable-source-maps", "--expose-gc", join(outDir, `${name}.js`), ...parameters], {
  cwd: root,
  stdio: "inherit",
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("close", (code, signal) => {
  process.exitCode = code ?? (signal === null ? 1 : 130);
});
