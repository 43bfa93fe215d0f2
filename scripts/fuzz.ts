// `npm run fuzz -- [--seconds 60] [--seed N]`: tries mutated sessions on the server for as long as one likes. What fails is written to
// fuzz-failures/ and tried again with `npm run fuzz -- --replay FILE`.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Fuzzer } from "../test/robustness/fuzz/fuzzer.ts";
import { type FuzzCase, fuzzCase } from "../test/robustness/fuzz/mutations.ts";

const FAILURES = "fuzz-failures";
/** A server is used for so many sessions before its disk is looked over and another takes its place. */
const SESSIONS_PER_SERVER = 2000;
/** More failures than this say nothing new. */
const ENOUGH = 20;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { seconds: { type: "string", default: "60" }, seed: { type: "string" }, replay: { type: "string" } },
  });
  if (values.replay !== undefined) return replay(values.replay);
  const seconds = Number(values.seconds);
  const first = values.seed === undefined ? Math.floor(Math.random() * 2 ** 40) : Number(values.seed);
  if (!(seconds > 0) || !Number.isSafeInteger(first)) throw new Error("usage: npm run fuzz -- [--seconds N] [--seed N] [--replay FILE]");
  console.log(`fuzzing for ${seconds} s from seed ${first}`);
  const end = performance.now() + seconds * 1000;
  let failures = 0;
  let seed = first;
  let mostMemory = 0;
  while (performance.now() < end && failures < ENOUGH) {
    const fuzzer = await Fuzzer.start(seed);
    for (let i = 0; i < SESSIONS_PER_SERVER && performance.now() < end && failures < ENOUGH; i += 1, seed += 1) {
      const fuzz = fuzzCase(seed);
      const wrong = await fuzzer.run(fuzz);
      if (wrong !== undefined) {
        failures += 1;
        report(fuzz, wrong);
      }
      if (i % 100 === 0) mostMemory = Math.max(mostMemory, process.memoryUsage().rss);
    }
    const wrong = await fuzzer.stop();
    if (wrong !== undefined) {
      failures += 1;
      console.log(`FAILED up to seed ${seed}: ${wrong}`);
    }
    console.log(`${seed - first} sessions, ${failures} failures, ${Math.round(mostMemory / 2 ** 20)} MiB at most`);
  }
  return failures === 0 ? 0 : 1;
}

function report(fuzz: FuzzCase, wrong: string): void {
  mkdirSync(FAILURES, { recursive: true });
  const file = join(FAILURES, `${fuzz.seed}.json`);
  const pieces = fuzz.pieces.map((piece) => piece.toString("base64"));
  writeFileSync(file, `${JSON.stringify({ ...fuzz, wrong, pieces }, undefined, 1)}\n`);
  console.log(`FAILED seed ${fuzz.seed} (${fuzz.session}): ${wrong}\ntry it again: npm run fuzz -- --replay ${file}`);
}

async function replay(file: string): Promise<number> {
  const { pieces, ...fuzz } = JSON.parse(readFileSync(file, "utf8")) as Omit<FuzzCase, "pieces"> & { readonly pieces: readonly string[] };
  const fuzzer = await Fuzzer.start(fuzz.seed);
  const wrong = await fuzzer.run({ ...fuzz, pieces: pieces.map((piece) => Buffer.from(piece, "base64")) });
  const after = await fuzzer.stop();
  console.log(wrong ?? after ?? `seed ${fuzz.seed} does no harm`);
  return wrong === undefined && after === undefined ? 0 : 1;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error);
    process.exitCode = 2;
  },
);
