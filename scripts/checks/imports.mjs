// Who may import whom: the folders of src/ form layers, and the packages in plugins/ see only what every user sees.

import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import ts from "typescript";
import { filesUnder } from "./files.mjs";

/** What each folder of src/ may import beside itself. `*` is all of it; `cli` is in nobody's list. */
const mayImport = {
  contract: [],
  protocol: ["contract"],
  server: ["contract", "protocol", "native"],
  client: ["contract", "protocol"],
  native: ["contract"],
  common: ["contract", "native"],
  plugins: ["contract", "common", "native", "client"],
  filters: ["contract", "common", "native"],
  tools: ["contract", "client", "common", "native"],
  testing: ["contract", "client", "server"],
  command: ["contract"],
  index: ["contract", "protocol", "server", "client", "common", "plugins", "filters", "tools"],
  cli: ["*"],
};
/** Folders that do no I/O: they get by without Node's modules. */
const pure = new Set(["contract", "protocol"]);
/** Packages that are used where they happen to be installed. */
const optional = { native: ["koffi"] };

/** Finds the imports that the layers forbid. @param {string} root @returns {string[]} sentences */
export function imports(root) {
  return [
    ...filesUnder(root, "src").flatMap((file) => checkSource(root, file)),
    ...filesUnder(root, "plugins").flatMap((file) => checkPlugin(root, file)),
  ];
}

/** @param {string} root @param {string} file */
function checkSource(root, file) {
  if (!isSource(file)) return [];
  const folder = folderOf(file);
  const allowed = mayImport[folder];
  if (allowed === undefined) return [`${file}: src/${folder} has no import rule: add one to scripts/checks/imports.mjs`];
  return importsOf(root, file).flatMap((specifier) => {
    if (!specifier.startsWith(".")) return checkPackage(file, folder, specifier);
    const target = posix.join(posix.dirname(file), specifier);
    if (!target.startsWith("src/")) return [`${file} imports ${specifier}, which is outside src/`];
    if (!specifier.endsWith(".ts")) return [`${file} imports ${specifier}: write the .ts extension`];
    const other = folderOf(target);
    if (other === folder || allowed.includes(other) || allowed.includes("*")) return [];
    return [`${file} imports ${specifier}: ${folder} may import ${list(allowed)}, not ${other}`];
  });
}

/** @param {string} file @param {string} folder @param {string} specifier */
function checkPackage(file, folder, specifier) {
  if (optional[folder]?.includes(specifier)) return [];
  if (!specifier.startsWith("node:"))
    return [`${file} imports ${specifier}: the core has no dependencies (Node's own modules start with node:)`];
  if (pure.has(folder)) return [`${file} imports ${specifier}: ${folder} does no I/O and uses no Node module`];
  return [];
}

/** @param {string} root @param {string} file */
function checkPlugin(root, file) {
  const [, name, ...rest] = file.split("/");
  if (!isSource(file) || rest.length === 0) return [];
  return importsOf(root, file).flatMap((specifier) => {
    if (/^diskwright\/(?!(testing|command)$)/.test(specifier))
      return [`${file} imports ${specifier}: plugins see only the public diskwright, diskwright/testing and diskwright/command`];
    if (!specifier.startsWith(".")) return [];
    const target = posix.join(posix.dirname(file), specifier);
    if (rest[0] === "test" && target.startsWith("test/fixtures/")) return [];
    return target.startsWith(`plugins/${name}/`) ? [] : [`${file} imports ${specifier}, which is outside plugins/${name}`];
  });
}

/** The folder of a file in src/; the files directly in src/ go by their own names. @param {string} file */
function folderOf(file) {
  return file.split("/")[1].replace(/\.ts$/, "");
}

/** @param {string} file */
function isSource(file) {
  return /\.[cm]?[jt]sx?$/.test(file);
}

/** Every module that a file names: import, export from, import() and import types. @param {string} root @param {string} file */
function importsOf(root, file) {
  const text = readFileSync(join(root, file), "utf8");
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
}

/** @param {readonly string[]} folders */
function list(folders) {
  return folders.length === 0 ? "nothing" : folders.join(", ");
}
