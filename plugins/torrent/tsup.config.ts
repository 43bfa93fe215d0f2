// How dist/ is built: the two entry points, and the thread with webtorrent, which is bundled with all that it needs.

import { defineConfig, type Options } from "tsup";
import { bundledLicenses, leaveOutNative } from "./bundle.ts";

const shared: Options = {
  format: "esm",
  platform: "node",
  target: ["es2023", "node20.19"],
  removeNodeProtocol: false,
};

const entryPoints: Options = {
  ...shared,
  entry: { index: "src/index.ts", command: "src/command.ts" },
  splitting: true,
  sourcemap: true,
  clean: ["!worker.js", "!THIRD-PARTY-LICENSES.txt"],
  dts: { entry: { index: "src/index.ts", command: "src/command.ts" } },
};

const worker: Options = {
  ...shared,
  entry: { worker: "src/worker.ts" },
  splitting: false,
  minifySyntax: true,
  minifyWhitespace: true,
  noExternal: [/./],
  // Some of what is bundled is CommonJS, and requires modules of Node.js.
  banner: { js: 'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);' },
  esbuildPlugins: [leaveOutNative, bundledLicenses("THIRD-PARTY-LICENSES.txt")],
};

export default defineConfig([entryPoints, worker]) as Options[];
