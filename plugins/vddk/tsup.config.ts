// How dist/ is built: the two entry points, and the thread and process in which the library runs, which are files of their own.

import { defineConfig, type Options } from "tsup";

const options: Options = {
  entry: { index: "src/index.ts", command: "src/command.ts", worker: "src/worker.ts", child: "src/child.ts" },
  format: "esm",
  platform: "node",
  target: ["es2023", "node20.19"],
  splitting: true,
  sourcemap: true,
  clean: true,
  dts: { entry: { index: "src/index.ts", command: "src/command.ts" } },
};

export default defineConfig(options) as Options;
