// `npm run check`: everything that can be said of the tree without running its tests. Says in a line each what held, and shows what did not.
// With words as arguments, only the checks whose names start with one of them.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { docs, exported, imports, links, packaged, paths } from "./checks/index.mjs";

const root = process.cwd();
/** The folders of the packages that have dependencies of their own. */
const packages = existsSync("plugins") ? readdirSync("plugins").map((name) => join("plugins", name)) : [];

/** Our own checks are functions; the others are commands, which say that all is well by their exit code. */
const checks = [
  ["lint and format", "biome", "check", "--error-on-warnings", "."],
  ["types", "tsc", "--noEmit"],
  ["build", "tsup", "--silent"],
  ["API report", "api-extractor", "run", "-c", "api-extractor.json"],
  ["API report of diskwright/testing", "api-extractor", "run", "-c", "api-extractor.testing.json"],
  ["API report of diskwright/command", "api-extractor", "run", "-c", "api-extractor.command.json"],
  ...eachPackage("build", "tsup", "--silent"),
  ...eachPackage("API report", "api-extractor", "run", "-c", "api-extractor.json"),
  ["imports between folders", imports],
  ["exports match the build", exported],
  ...eachPackage("exports match the build", exported),
  ["package and lock file", packaged],
  ["no paths of one machine", paths],
  ["examples in the documentation", docs],
  ["links in the documentation", links],
  ["reference pages", "typedoc", "--emit", "none"],
  ["publint", "publint", "run", "--strict", "--pack", "npm"],
  ...eachPackage("publint", "publint", "run", "--strict", "--pack", "npm"),
  ["are the types wrong", "attw", "--pack", ".", "--profile", "esm-only"],
  ...eachPackage("are the types wrong", "attw", "--pack", ".", "--profile", "esm-only"),
];

const env = { ...process.env, PATH: [join(import.meta.dirname, "../node_modules/.bin"), process.env.PATH].join(delimiter) };
const words = process.argv.slice(2);
const chosen = checks.filter(([name]) => words.length === 0 || words.some((word) => name.startsWith(word)));
const failed = chosen.filter(([name, ...what]) => !holds(name, what));
console.log(failed.length === 0 ? `All ${chosen.length} checks hold.` : `${failed.length} of ${chosen.length} checks failed.`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** The same check in the folder of each package. */
function eachPackage(name, ...what) {
  return packages.map((folder) => [`${name} of ${folder}`, { folder, what }]);
}

function holds(name, [first, ...more]) {
  const started = performance.now();
  const { folder, what } = first.what === undefined ? { folder: ".", what: [first, ...more] } : first;
  const [call, ...parameters] = what;
  const problem = typeof call === "function" ? call(join(root, folder)).join("\n") : run(call, parameters, join(root, folder));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${problem === "" ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  if (problem !== "") console.log(problem);
  return problem === "";
}

/** Runs a command; answers what it said when it failed, else nothing. */
function run(command, parameters, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, parameters, { encoding: "utf8", cwd, env, maxBuffer: 2 ** 26 });
  if (status === 0) return "";
  return [stdout, stderr, error?.message].filter(Boolean).join("\n").trim() || `${command} ended with ${status} and said nothing`;
}
