// The report of what was counted, as nbdkit's stats filter writes it.

import type { OperationStats } from "../stats.ts";
import { ALIGNED_TO_ALL, type OperationTally, type SizeGroup, type Tally } from "./tally.ts";

/**
 * The report, with its line ends.
 *
 * @param threshold - percent of the requests of which sizes and alignments are listed; 0 lists none
 */
export function formatReport(tally: Tally, threshold: number): string {
  const { read, write, trim, zero, extents, cache, flush, milliseconds } = tally;
  const all = Object.entries({ read, write, trim, zero, extents, cache, flush });
  const operations = all.reduce((sum, [, { operations }]) => sum + operations, 0);
  // What extents and caching are about moves nowhere.
  const bytes = read.bytes + write.bytes + trim.bytes + zero.bytes;
  const head = `total: ${operations} ops, ${seconds(milliseconds)}, ${size(bytes)}, ${rate(bytes, milliseconds)}\n`;
  const sections = all.filter(([, { operations }]) => operations > 0);
  return head + sections.map(([name, operation]) => section(name, operation, milliseconds, threshold)).join("");
}

function section(name: string, operation: OperationTally, elapsed: number, threshold: number): string {
  const { operations, bytes, milliseconds } = operation;
  const own = rate(bytes, milliseconds);
  const head = `${name}: ${operations} ops, ${seconds(milliseconds)}, ${size(bytes)}, ${own} op, ${rate(bytes, elapsed)} total\n`;
  if (threshold === 0 || operation.groups.size === 0) return head;
  return `${head}  Request size and alignment breakdown:\n${breakdown(operation, threshold)}\n`;
}

function breakdown(operation: OperationTally, threshold: number): string {
  const groups = [...operation.groups.values()].sort((a, b) => b.requests - a.requests || a.bits - b.bits);
  const total = groups.reduce((sum, { requests }) => sum + requests, 0);
  const enough = Math.floor((total * threshold) / 100);
  const left: OperationCount = { operations: total, bytes: operation.bytes };
  let text = "";
  for (const group of groups) {
    if (total - left.operations >= enough) break;
    left.operations -= group.requests;
    left.bytes -= group.bytes;
    const share = percent(group.requests, total).padStart(4);
    text += `    ${String(group.bits).padStart(2)} bits: ${share}% (${group.requests} reqs, ${size(group.bytes)} total)\n`;
    text += alignments(group, threshold);
  }
  if (left.operations === 0) return text;
  const share = percent(left.operations, total).padStart(4);
  return `${text}    other sizes: ${share}% (${left.operations} reqs, ${size(left.bytes)} total)\n`;
}

type OperationCount = { -readonly [K in "operations" | "bytes"]: OperationStats[K] };

/** A line for each alignment that not all with the one before it have. */
function alignments({ requests, aligned }: SizeGroup, threshold: number): string {
  const least = Math.floor((requests * (100 - threshold)) / 100);
  let count = requests;
  let next = 0;
  let text = "";
  for (let bits = 0; bits < ALIGNED_TO_ALL; bits += 1) {
    const fewer = aligned[bits] as number;
    if (fewer === 0) continue;
    if (count < least) return `${text}         ${next}+ bit-aligned: ${percent(count, requests).padStart(4)}% (${count})\n`;
    text += `         ${String(bits).padStart(2)} bit aligned: ${percent(count, requests).padStart(5)}% (${count})\n`;
    count -= fewer;
    next = bits + 1;
  }
  return text;
}

function percent(part: number, whole: number): string {
  return fixed((part / whole) * 100, 1);
}

function seconds(milliseconds: number): string {
  return `${fixed(milliseconds / 1000, 6)} s`;
}

/** `(n/a)/s` where no time has passed. */
function rate(bytes: bigint, milliseconds: number): string {
  const microseconds = Math.round(milliseconds * 1000);
  return microseconds === 0 ? "(n/a)/s" : `${size((Number(bytes) / microseconds) * 1e6)}/s`;
}

function size(bytes: bigint | number): string {
  const count = Number(bytes);
  for (const [unit, name] of units) if (count >= unit) return `${fixed(count / unit, 2)} ${name}`;
  return `${Math.floor(count)} bytes`;
}

/** As printf has it: what is just in the middle goes to the even digit. */
function fixed(value: number, digits: number): string {
  const scaled = value * 10 ** digits;
  const whole = Math.floor(scaled);
  return (scaled - whole === 0.5 ? (whole + (whole % 2)) / 10 ** digits : value).toFixed(digits);
}

const units = [
  [2 ** 30, "GiB"],
  [2 ** 20, "MiB"],
  [2 ** 10, "KiB"],
] as const;
