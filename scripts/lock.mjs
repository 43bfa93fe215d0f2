// `npm run lock`: brings the lock file up to date. npm leaves out of it what the registry in use does not have, as a mirror may lack the binaries
// for other platforms, and then `npm ci` refuses the file everywhere. So what is missing is entered by what its name says of it.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { missingFromLock } from "./checks/lock.mjs";

const { status } = spawnSync("npm", ["install", "--package-lock-only", "--no-audit", "--no-fund"], { stdio: "inherit" });
if (status !== 0) process.exit(status ?? 1);

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
for (const { name, version, by } of missingFromLock(lock)) {
  if (!/^\d/.test(version)) throw new Error(`${by} names ${name} ${version}, which is no exact version: nothing says which one to enter`);
  const { dev } = lock.packages[by];
  lock.packages[`node_modules/${name}`] = { version, ...platformOf(name), ...(dev && { dev }), optional: true };
  console.log(`entered ${name}@${version}, which ${by} names`);
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en")));
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);

/** What the name of a package of binaries says of where they run: `@rollup/rollup-linux-arm64-musl`. */
function platformOf(name) {
  const words = name.split(/[-/]/);
  const os = words.find((word) =>
    ["android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"].includes(word),
  );
  const cpu = words.find((word) => ["arm", "arm64", "ia32", "loong64", "ppc64", "riscv64", "s390x", "x64"].includes(word));
  if (os === undefined || cpu === undefined) throw new Error(`${name}: its name does not say for which platform it is`);
  const libc =
    os === "linux" && (words.some((word) => word.startsWith("musl")) ? "musl" : words.some((word) => word.startsWith("gnu")) && "glibc");
  return { cpu: [cpu], ...(libc && { libc: [libc] }), os: [os] };
}
