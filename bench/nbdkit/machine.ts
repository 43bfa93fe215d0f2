// What the figures were measured on.

import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import type { Contender } from "./servers.ts";

/** The facts that a figure means little without, a line each. */
export function machine(contenders: readonly Contender[]): string[] {
  const processors = cpus();
  const [load = 0] = loadavg();
  return [
    new Date().toISOString().slice(0, 10),
    `${processors.length} × ${processors[0]?.model.trim() ?? "unknown processor"}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}`,
    ...new Set(contenders.map((contender) => contender.version())),
    execFileSync("fio", ["--version"], { encoding: "utf8" }).trim(),
    `load before the start: ${load.toFixed(2)}${load > 0.3 ? " (the machine was NOT quiet: the figures are noisy)" : ""}`,
  ];
}
