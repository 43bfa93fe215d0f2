// `npm run bench`: our disks against nbdkit's, side by side on this machine, in alternation. Prints tables and writes them to bench/.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { extras } from "./nbdkit/extras.ts";
import { machine } from "./nbdkit/machine.ts";
import { type Comparison, compared, markdown, table } from "./nbdkit/report.ts";
import type { Row, Run } from "./nbdkit/rows.ts";
import { type Contender, diskwright, fill, nbdkit, type Running } from "./nbdkit/servers.ts";
import type { Place, Suite } from "./nbdkit/suite.ts";
import { suites } from "./nbdkit/suites.ts";

const usage = `npm run bench -- [options]

  --suite NAME   what is measured: ${suites.map(({ name }) => name).join(", ")} or all; may be repeated (default ${suites[0]?.name})
  --rounds N     runs of each row on each server (default 6)
  --seconds N    length of a run of fio (default 3)
  --row WORDS    only rows whose name contains this, for example "4k" or "randread"; may be repeated
  --size SIZE    of the disks (default 1G)
  --folder PATH  where files are made, for the file system that it is on (default: where temporary files go)
  --quick        2 rounds of 1 second
  --no-extras    only the rows
  --self         nbdkit against nbdkit: shows how far two figures for the same thing are apart on this machine
  --built PATH   the folder of the built package (default dist)
  --output FILE  where the results of a suite go (default bench/results.md, bench/results-NAME.md; with --quick, --row or --self: nowhere)
`;

interface Settings {
  readonly rounds: number;
  readonly seconds: number;
  readonly rows: readonly string[] | undefined;
  readonly size: string;
  readonly folder: string;
  readonly extras: boolean;
  readonly self: boolean;
  readonly built: string;
  readonly output: string | undefined;
  /** Not all was measured: the results are for the eye. */
  readonly partial: boolean;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      suite: { type: "string", multiple: true },
      rounds: { type: "string" },
      seconds: { type: "string" },
      row: { type: "string", multiple: true },
      size: { type: "string", default: "1G" },
      folder: { type: "string", default: tmpdir() },
      quick: { type: "boolean", default: false },
      "no-extras": { type: "boolean", default: false },
      self: { type: "boolean", default: false },
      built: { type: "string", default: "dist" },
      output: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const settings: Settings = {
    rounds: positive("--rounds", values.rounds ?? (values.quick ? "2" : "6")),
    seconds: positive("--seconds", values.seconds ?? (values.quick ? "1" : "3")),
    rows: values.row,
    size: values.size,
    folder: values.folder,
    extras: !values["no-extras"],
    self: values.self,
    built: resolve(values.built),
    output: values.output,
    partial: values.quick || values.self || values.row !== undefined,
  };
  const chosen = chooseSuites(values.suite ?? [suites[0]?.name ?? ""]);
  if (values.output !== undefined && chosen.length > 1) throw new Error("--output is for one suite at a time");
  for (const suite of chosen) await measure(suite, settings);
}

function chooseSuites(names: readonly string[]): readonly Suite[] {
  if (names.includes("all")) return suites;
  return names.map((name) => {
    const suite = suites.find((candidate) => candidate.name === name);
    if (suite === undefined) throw new Error(`--suite ${name}: there are ${suites.map((each) => each.name).join(", ")} and all`);
    return suite;
  });
}

/** Measures a suite: prints its table, and writes it down where all of it was measured. */
async function measure(suite: Suite, settings: Settings): Promise<void> {
  const { rounds, seconds, size, partial } = settings;
  const rows = suite.rows.filter(({ name }) => settings.rows === undefined || settings.rows.some((words) => name.includes(words)));
  if (rows.length === 0) throw new Error(`--row ${settings.rows?.join(", ")}: there are ${suite.rows.map(({ name }) => name).join(", ")}`);

  const root = mkdtempSync(join(settings.folder, "diskwright-bench-"));
  const servers: Running[] = [];
  try {
    const places = ["a", "b"].map((own) => ({ shared: join(root, "shared"), own: join(root, own), size })) as [Place, Place];
    for (const folder of [places[0].shared, places[0].own, places[1].own]) mkdirSync(folder);
    const contenders: readonly [Contender, Contender] = [
      nbdkit(suite, places[0]),
      settings.self ? nbdkit(suite, places[1], "nbdkit again") : diskwright(suite, places[1], settings.built),
    ];
    const names = [contenders[0].name, contenders[1].name] as const;
    const what = suite.what(places[0]);
    const about = machine(contenders);
    for (const line of [`\n${suite.name}: ${what}`, ...about]) console.log(line);

    await suite.prepare?.(places[0]);
    for (const contender of contenders) {
      const server = await contender.start();
      servers.push(server);
      if (suite.fill) await fill(server);
    }
    const comparisons: Comparison[] = [];
    for (const row of rows) {
      comparisons.push(await compare(row, servers as [Running, Running], rounds, seconds));
      console.log(table(comparisons.slice(-1), comparisons.length === 1 ? names : undefined));
    }
    await stop(servers);
    const more = suite.extras && settings.extras && settings.rows === undefined ? await extras(contenders, size) : [];
    for (const line of more) console.log(line);
    const output = settings.output ?? (partial ? undefined : `bench/results${suite === suites[0] ? "" : `-${suite.name}`}.md`);
    if (output !== undefined) {
      const parameters = process.argv.slice(2);
      const command = parameters.length === 0 ? "npm run bench" : `npm run bench -- ${parameters.join(" ")}`;
      writeFileSync(output, markdown({ what, about, command, rounds, seconds, names, comparisons, more }));
      console.log(`\nwritten to ${output}`);
    }
  } finally {
    await stop(servers);
    rmSync(root, { recursive: true, force: true });
  }
}

/** Runs a row so often on each server, in the order A B B A A B B A …, so that whatever else the machine does meets both alike. */
async function compare(row: Row, [a, b]: readonly [Running, Running], rounds: number, seconds: number): Promise<Comparison> {
  const runs: [Run[], Run[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    for (const side of order) runs[side as 0 | 1].push(await row.run(side === 0 ? a : b, seconds));
  }
  return compared(row, runs);
}

async function stop(servers: Running[]): Promise<void> {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${option} ${text}: expected a whole number above 0`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
