// How dist/ is built: ES modules that share their chunks, so that both entry points and the command see the same classes.

import { existsSync } from "node:fs";
import { defineConfig, type Options } from "tsup";

const entries = { index: "src/index.ts", testing: "src/testing/index.ts", command: "src/command/index.ts", cli: "src/cli/main.ts" };
const entry = Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(file)));
const { cli: _, ...typed } = entry;

const options: Options = {
  entry,
  format: "esm",
  platform: "node",
  target: ["es2023", "node20.19"],
  splitting: true,
  sourcemap: true,
  clean: true,
  dts: { entry: typed },
};

export default defineConfig(options) as Options;
