// Installing runs nothing, and works with any registry: no install scripts, no dependencies of the core, no addresses in the lock file.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filesUnder } from "./files.mjs";
import { locked } from "./lock.mjs";

/** Finds what would run or be needed on installing. @param {string} root @returns {string[]} sentences */
export function packaged(root) {
  const plugins = filesUnder(root, "plugins").filter((file) => /^plugins\/[^/]+\/package\.json$/.test(file));
  return [...["package.json", ...plugins].flatMap((file) => checkScripts(root, file)), ...checkDependencies(root), ...locked(root)];
}

/** @param {string} root @param {string} file */
function checkScripts(root, file) {
  const { scripts = {} } = read(root, file);
  return ["preinstall", "install", "postinstall", "prepare"]
    .filter((name) => name in scripts)
    .map((name) => `${file} has a ${name} script: installing must run nothing`);
}

/** @param {string} root */
function checkDependencies(root) {
  const manifest = read(root, "package.json");
  /** What is used where it happens to be installed is no dependency. @param {string} name */
  const optional = (name) => manifest.peerDependenciesMeta?.[name]?.optional === true;
  return ["dependencies", "optionalDependencies", "peerDependencies"].flatMap((kind) =>
    Object.keys(manifest[kind] ?? {})
      .filter((name) => kind !== "peerDependencies" || !optional(name))
      .map((name) => `package.json has ${name} in ${kind}: the core depends on nothing`),
  );
}

/** @param {string} root @param {string} file */
function read(root, file) {
  return JSON.parse(readFileSync(join(root, file), "utf8"));
}
