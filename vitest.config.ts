// Two groups of tests: those of the sources, and those of the package as it is built, which have it built first.

import { defineConfig, type ViteUserConfig } from "vitest/config";

const ofTheBuild = ["test/{repository,examples,docs,cli}/**/*.test.ts", "plugins/*/test/**/*.test.ts"];

const config: ViteUserConfig = defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 20_000,
    maxWorkers: 2,
    // Of the tests of one file that may go on at once.
    maxConcurrency: 2,
    projects: [
      { extends: true, test: { name: "source", include: ["test/**/*.test.ts"], exclude: ofTheBuild } },
      { extends: true, test: { name: "package", include: ofTheBuild, globalSetup: "test/fixtures/build.ts", testTimeout: 120_000 } },
    ],
  },
});

export default config;
