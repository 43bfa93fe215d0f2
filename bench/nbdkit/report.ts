// From figures to a table: medians, their ratio, and how far apart the runs were.

import type { Row, Run } from "./rows.ts";

/** What a row came to. */
export interface Comparison {
  readonly row: Row;
  readonly sides: readonly [Summary, Summary];
  /** The second side's median over the first's. */
  readonly ratio: number;
  /** The lowest and the highest ratio of runs that were made one after the other. */
  readonly ratios: readonly [number, number];
}

interface Summary {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  /** Microseconds of the server's processor time for each request, the median. */
  readonly cpu: number;
  /** How much of one processor the client had, 0 to 1, the median; `undefined` where that is not known. */
  readonly client: number | undefined;
}

/** Everything that the report says. */
export interface Results {
  /** What was served: "A memory disk of 1G, full of data". */
  readonly what: string;
  readonly about: readonly string[];
  readonly command: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly names: readonly [string, string];
  readonly comparisons: readonly Comparison[];
  readonly more: readonly string[];
}

/** Sums up the figures of both sides, run for run. */
export function compared(row: Row, [a, b]: readonly [readonly Run[], readonly Run[]]): Comparison {
  const sides = [summary(a), summary(b)] as const;
  const ratios = a.map(({ figure }, run) => (b[run] as Run).figure / figure);
  return { row, sides, ratio: sides[1].median / sides[0].median, ratios: [Math.min(...ratios), Math.max(...ratios)] };
}

function summary(runs: readonly Run[]): Summary {
  const figures = runs.map(({ figure }) => figure);
  const clients = runs.flatMap(({ client }) => (client === undefined ? [] : [client]));
  return {
    median: median(figures),
    lowest: Math.min(...figures),
    highest: Math.max(...figures),
    cpu: median(runs.map(({ cpu }) => cpu)),
    client: clients.length === 0 ? undefined : median(clients),
  };
}

/** The middle one, or the mean of the two in the middle. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((x, y) => x - y);
  const middle = sorted.length / 2;
  return Number.isInteger(middle)
    ? ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
    : (sorted[Math.floor(middle)] as number);
}

/** The rows as a table for a terminal, with a heading when the contenders' names are given. */
export function table(comparisons: readonly Comparison[], names?: readonly [string, string]): string {
  const lines = comparisons.map((comparison) => cells(comparison));
  if (names !== undefined) lines.unshift(heading(names));
  const widths = [22, 30, 30, 7, 11, 14, 16, 14];
  return lines
    .map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(" "))
    .join("\n");
}

/** The results as a page. */
export function markdown({ what, about, command, rounds, seconds, names, comparisons, more }: Results): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    `# ${names[1]} against ${names[0]}`,
    "",
    `${what}, on a unix socket; the client on the same machine, fio with its nbd engine unless the row says otherwise. Each figure is the median of ${rounds} runs`,
    `(of fio: ${seconds} s each) in alternation, in brackets the lowest and the highest; the range of ratios is that of runs made one after the other. CPU is what the`,
    "servers used for each request of fio, or for each MiB that a command moved; the last column is how much of one processor fio took: near 100 % it is fio that cannot",
    "go faster, whatever the server does.",
    "",
    ...about.map((fact) => `- ${fact}`),
    `- \`${command}\``,
    "",
    line(heading(names)),
    line(["---", "---:", "---:", "---:", "---:", "---:", "---:", "---:"]),
    ...comparisons.map((comparison) => line(cells(comparison))),
    ...(more.length > 0 ? ["", "## Beside throughput", "", ...more] : []),
    "",
  ].join("\n");
}

function heading(names: readonly [string, string]): string[] {
  return ["row", names[0], names[1], "ratio", "ratios", "target", "CPU, µs", "fio, %"];
}

function cells({ row, sides, ratio, ratios }: Comparison): string[] {
  const figure = ({ median, lowest, highest }: Summary): string => `${count(median)} ${row.unit} (${count(lowest)}–${count(highest)})`;
  const target = `≥ ${row.target.toFixed(1)} ${ratio >= row.target ? "met" : "missed"}`;
  return [
    row.name,
    figure(sides[0]),
    figure(sides[1]),
    ratio.toFixed(2),
    ratios.map((value) => value.toFixed(2)).join("–"),
    target,
    sides.map(({ cpu }) => cpu.toFixed(1)).join(" / "),
    sides.map(({ client }) => (client === undefined ? "–" : String(Math.round(client * 100)))).join(" / "),
  ];
}

function count(value: number): string {
  return value >= 100_000 ? `${Math.round(value / 1000)} k` : String(Math.round(value));
}
