// What package.json promises is what was built, and what was built is promised: exports, bin and dist/ agree in both directions.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Finds where package.json and dist/ disagree. @param {string} root @returns {string[]} sentences */
export function exported(root) {
  const { exports = {}, bin = {}, files = [] } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const promised = new Map([
    ...Object.entries(exports).flatMap(([name, target]) => targetsOf(target).map((file) => [file, `exports["${name}"]`])),
    ...Object.entries(bin).map(([name, file]) => [plain(file), `bin.${name}`]),
  ]);
  const dist = join(root, "dist");
  const built = existsSync(dist) ? readdirSync(dist).map((name) => `dist/${name}`) : [];
  // What has a hash in its name is a chunk that entries share, and a map goes with its file.
  const entries = built.filter((file) => /\.(js|d\.ts)$/.test(file) && !/-[A-Z0-9a-z_-]{8}\.(js|d\.ts)$/.test(file));
  const started = new Set(built.filter((file) => file.endsWith(".js")).flatMap((file) => threadsOf(join(root, file))));

  return [
    ...(built.length === 0 ? ["dist/ is missing or empty: npm run build"] : []),
    ...[...promised].filter(([file]) => !existsSync(join(root, file))).map(([file, by]) => `${by} names ${file}, which does not exist`),
    ...[...promised]
      .filter(([file]) => !isPacked(files, file))
      .map(([file, by]) => `${by} names ${file}, which "files" leaves out of the package`),
    ...entries
      .filter((file) => !promised.has(file) && !started.has(file))
      .map((file) => `${file} was built, but neither exports nor bin names it`),
    ...Object.entries(bin).flatMap(([name, file]) => checkCommand(root, name, plain(file))),
  ];
}

/** The files that a built file starts threads with: `new URL("./worker.js", import.meta.url)`. @param {string} path */
function threadsOf(path) {
  return [...readFileSync(path, "utf8").matchAll(/new URL\([^)]*"\.\/([\w-]+\.js)", import\.meta\.url\)/g)].map(
    ([, file]) => `dist/${file}`,
  );
}

/** The files of an export: a path, or conditions that lead to paths. */
function targetsOf(target) {
  if (typeof target === "string") return [plain(target)];
  return Object.values(target).flatMap(targetsOf);
}

/** @param {string} file */
function plain(file) {
  return file.replace(/^\.\//, "");
}

/** @param {readonly string[]} files @param {string} file */
function isPacked(files, file) {
  return file === "package.json" || files.some((entry) => file === plain(entry) || file.startsWith(`${plain(entry).replace(/\/$/, "")}/`));
}

/** @param {string} root @param {string} name @param {string} file */
function checkCommand(root, name, file) {
  const path = join(root, file);
  if (!existsSync(path) || readFileSync(path, "utf8").startsWith("#!/usr/bin/env node\n")) return [];
  return [`bin.${name}: ${file} does not start with #!/usr/bin/env node`];
}
