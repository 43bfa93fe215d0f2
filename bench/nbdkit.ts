// `npm run bench`: our memory disk against nbdkit's, side by side on this machine, in alternation. Prints a table and writes bench/results.md.

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { extras } from "./nbdkit/extras.ts";
import { type Row, type Run, rows, runRow } from "./nbdkit/fio.ts";
import { machine } from "./nbdkit/machine.ts";
import { type Comparison, compared, markdown, table } from "./nbdkit/report.ts";
import { type Contender, diskwright, fill, nbdkit, type Running } from "./nbdkit/servers.ts";

const usage = `npm run bench -- [options]

  --rounds N     runs of each row on each server (default 6)
  --seconds N    length of a run (default 3)
  --row WORDS    only rows whose name contains this, for example "4k" or "randread"; may be repeated
  --size SIZE    of the disks (default 1G)
  --quick        2 rounds of 1 second
  --no-extras    only the fio rows
  --self         nbdkit against nbdkit: shows how far two figures for the same thing are apart on this machine
  --output FILE  where the results go (default bench/results.md; with --quick, --row or --self: nowhere)
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string" },
      seconds: { type: "string" },
      row: { type: "string", multiple: true },
      size: { type: "string", default: "1G" },
      quick: { type: "boolean", default: false },
      "no-extras": { type: "boolean", default: false },
      self: { type: "boolean", default: false },
      output: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const rounds = positive("--rounds", values.rounds ?? (values.quick ? "2" : "6"));
  const seconds = positive("--seconds", values.seconds ?? (values.quick ? "1" : "3"));
  const chosen = rows.filter(({ name }) => values.row === undefined || values.row.some((words) => name.includes(words)));
  if (chosen.length === 0) throw new Error(`--row ${values.row?.join(", ")}: there are ${rows.map(({ name }) => name).join(", ")}`);

  const contenders: readonly [Contender, Contender] = [nbdkit, values.self ? { ...nbdkit, name: "nbdkit again" } : diskwright];
  const about = machine(contenders);
  for (const line of about) console.log(line);

  const servers: Running[] = [];
  try {
    for (const contender of contenders) {
      const server = await contender.start(values.size);
      servers.push(server);
      await fill(server);
    }
    const comparisons: Comparison[] = [];
    for (const row of chosen) {
      comparisons.push(await compare(row, servers as [Running, Running], rounds, seconds));
      console.log(table(comparisons.slice(-1), comparisons.length === 1 ? names(contenders) : undefined));
    }
    await stop(servers);
    const more = values["no-extras"] || values.row !== undefined ? [] : await extras(contenders, values.size);
    for (const line of more) console.log(line);
    const partial = values.quick || values.self || values.row !== undefined;
    const output = values.output ?? (partial ? undefined : "bench/results.md");
    if (output !== undefined) {
      const parameters = process.argv.slice(2);
      const command = parameters.length === 0 ? "npm run bench" : `npm run bench -- ${parameters.join(" ")}`;
      writeFileSync(output, markdown({ about, command, rounds, seconds, size: values.size, names: names(contenders), comparisons, more }));
      console.log(`\nwritten to ${output}`);
    }
  } finally {
    await stop(servers);
  }
}

/** Runs a row so often on each server, in the order A B B A A B B A …, so that whatever else the machine does meets both alike. */
async function compare(row: Row, [a, b]: readonly [Running, Running], rounds: number, seconds: number): Promise<Comparison> {
  const runs: [Run[], Run[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    for (const side of order) runs[side as 0 | 1].push(await runRow(row, side === 0 ? a : b, seconds));
  }
  return compared(row, runs);
}

async function stop(servers: Running[]): Promise<void> {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
}

function names(contenders: readonly [Contender, Contender]): readonly [string, string] {
  return [contenders[0].name, contenders[1].name];
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
