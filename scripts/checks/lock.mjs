// What a lock file has to say: every package that another names, wherever it runs, and no registry's address.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Finds what is wrong with a lock file. @param {string} root @returns {string[]} sentences */
export function locked(root) {
  const path = join(root, "package-lock.json");
  if (!existsSync(path)) return ["package-lock.json is missing"];
  const lock = JSON.parse(readFileSync(path, "utf8"));
  const resolved = Object.entries(lock.packages ?? {}).filter(([, entry]) => /^\w+:\/\//.test(entry.resolved ?? ""));
  return [
    ...resolved.map(
      ([name, entry]) =>
        `package-lock.json: ${name} is resolved to ${entry.resolved}; install with the project's .npmrc, which leaves addresses out`,
    ),
    ...missingFromLock(lock).map(
      ({ name, by }) => `package-lock.json: ${by} names ${name}, which has no entry, so npm ci refuses the file: npm run lock`,
    ),
  ];
}

/**
 * The packages that others name and that have no entry, as npm looks for them: beside who names them, and in the folders above.
 *
 * @returns {{ name: string, version: string, by: string }[]}
 */
export function missingFromLock({ packages = {} }) {
  return Object.entries(packages).flatMap(([by, { dependencies = {}, optionalDependencies = {} }]) =>
    Object.entries({ ...dependencies, ...optionalDependencies })
      .filter(([name]) => !placesOf(by, name).some((place) => place in packages))
      .map(([name, version]) => ({ name, version, by })),
  );
}

/** Where a package that `by` names may lie, from the nearest. */
function placesOf(by, name) {
  const folders = by.split("/node_modules/").map((_, index, parts) => parts.slice(0, parts.length - index).join("/node_modules/"));
  return [...folders.map((folder) => (folder === "" ? "" : `${folder}/`)), ""].map((folder) => `${folder}node_modules/${name}`);
}
