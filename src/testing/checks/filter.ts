// The rules that a filter has to keep towards the disk below.

import assert from "node:assert/strict";
import { type Awaitable, type Disk, errorCode, errorText, openDisk, pipe } from "../../contract/index.ts";
import type { Call, Operation } from "../call.ts";
import { lostCapabilities } from "../capabilities.ts";
import type { FilterTestOptions } from "../filter.ts";
import type { FilterBench } from "../filter-bench.ts";
import { allSorts, modelOf } from "../filter-model.ts";
import { ram } from "../ram.ts";
import { refused } from "./refused.ts";

/** One rule. */
export interface FilterCheck {
  readonly name: string;
  /** Why a filter need not keep it, if so. */
  skip?(options: FilterTestOptions, disk: Disk): string | undefined;
  run(bench: FilterBench): Promise<void>;
}

const readOnly = (disk: Disk): string | undefined => (disk.capabilities.write ? undefined : "it cannot be written");
const opaque = ({ transparent = false }: FilterTestOptions): string | undefined =>
  transparent ? undefined : "it is not said to be transparent";

export const filterChecks: readonly FilterCheck[] = [
  {
    name: "what is written reaches the disk below, where it belongs",
    skip: (options, disk) =>
      readOnly(disk) ??
      (options.holdsWrites
        ? "it holds what is written"
        : modelOf(options) === undefined
          ? "how the disk below should look is not said"
          : undefined),
    async run({ below, area, disk, options }) {
      await scribble(area);
      await disk.flush();
      await disk.close();
      const shown = modelOf(options)?.(below.bytes.slice()) ?? new Uint8Array();
      assert.equal(shown.length, area.length, "the model of the disk below has another size than the filter's disk");
      area.compare(shown, 0, "the disk below, as the model shows it,");
    },
  },
  {
    name: "what is written does not reach the disk below",
    skip: (options, disk) => readOnly(disk) ?? (options.holdsWrites ? undefined : "it is to reach it"),
    async run({ below, content, area, disk }) {
      await scribble(area);
      await disk.flush();
      await area.verify();
      await disk.close();
      assert.equal(Buffer.compare(below.bytes, content), 0, "the disk below has changed");
    },
  },
  {
    name: "a range that is to be zeroed without a hole is neither trimmed nor zeroed with one below",
    skip: (_options, disk) => readOnly(disk),
    async run({ area, calls }) {
      for (const [start, length] of area.edges()) {
        calls.length = 0;
        await area.zero(start, length, { noHole: true });
        const hole = calls.find(({ operation, flags }) => operation === "trim" || (operation === "zero" && !flags?.noHole));
        assert.equal(hole, undefined, `zero of ${length} at ${start}, noHole, became ${hole}: the flags are to be passed on`);
      }
    },
  },
  {
    name: "a range that is to be zeroed fast is not written, nor zeroed slowly, below",
    skip: (_options, disk) => readOnly(disk),
    async run({ area, calls }) {
      for (const [start, length] of area.edges()) {
        calls.length = 0;
        await area.zero(start, length, { fastZero: true }).catch(unlessNotSupported);
        const slow = calls.find(({ operation, flags }) => operation === "write" || (operation === "zero" && !flags?.fastZero));
        assert.equal(slow, undefined, `zero of ${length} at ${start}, fastZero, became ${slow}: the flags are to be passed on`);
      }
    },
  },
  {
    name: "an error in reading the disk below is the client's, with its code",
    skip: ({ hidesErrors }) => (hidesErrors ? "it hides errors" : undefined),
    async run(bench) {
      bench.broken.set("read", "EPERM");
      const { disk, area } = bench;
      await seen(bench, "read", "EPERM", [
        () => disk.read(new Uint8Array(area.step), 0n),
        () => disk.read(new Uint8Array(area.step), BigInt(area.length - area.step)),
      ]);
      bench.broken.clear();
      await area.verify();
    },
  },
  {
    name: "an error in writing the disk below is the client's, with its code, at the latest when it closes",
    skip: ({ hidesErrors }, disk) => readOnly(disk) ?? (hidesErrors ? "it hides errors" : undefined),
    async run(bench) {
      const { disk, area } = bench;
      for (const operation of ["write", "zero", "trim"] as const) bench.broken.set(operation, "ENOSPC");
      await seen(bench, "write", "ENOSPC", [() => disk.write(new Uint8Array(area.length).fill(1), 0n), disk.flush, disk.close]);
    },
  },
  {
    name: "an error in flushing the disk below is the client's, with its code",
    skip: ({ hidesErrors }, disk) =>
      readOnly(disk) ?? (hidesErrors ? "it hides errors" : disk.capabilities.flush ? undefined : "it has no flush"),
    async run(bench) {
      bench.broken.set("flush", "EPERM");
      await seen(bench, "flush", "EPERM", [() => bench.disk.flush(), bench.disk.close]);
    },
  },
  {
    name: "the plugin below is started before it is asked for anything",
    async run({ calls }) {
      assert.equal(String(calls[0]), "below: start", "the plugin below was not started first");
      assert.equal(calls.filter(({ operation }) => operation === "start").length, 1, "the plugin below was started more than once");
    },
  },
  {
    name: "the disk below is closed once, after everything else, and then its plugin",
    async run({ disk, area, calls }) {
      await area.verify();
      await disk.close();
      const ends = calls.map(String).filter((call) => call.startsWith("below: close"));
      const opens = calls.filter(({ operation }) => operation === "open").length;
      assert.deepEqual(
        ends,
        [...Array.from({ length: opens }, () => "below: close"), "below: close plugin"],
        `of ${opens} that were opened`,
      );
      assert.equal(String(calls.at(-1)), "below: close plugin");
    },
  },
  {
    name: "it can do what the disk below can",
    skip: opaque,
    async run({ below, disk, options }) {
      const without = await openDisk(pipe(below));
      const keys = (["write", "flush", "trim", "zero", "extents", "fua", "fastZero", "multiConn", "cache"] as const).filter(
        (key) => !options.takesAway?.includes(key),
      );
      try {
        assert.deepEqual(lostCapabilities(without.capabilities, disk.capabilities, keys), []);
      } finally {
        await without.close();
      }
    },
  },
  {
    name: "it can do over a class's disk what it can over a plain one",
    async run({ content, disk, open }) {
      const plain = await open(ram(content));
      assert.deepEqual(
        lostCapabilities(plain.capabilities, disk.capabilities, ["write"]),
        [],
        "are methods of a prototype lost by copying?",
      );
    },
  },
  {
    name: "it cannot be written over a disk that cannot be written",
    skip: ({ holdsWrites }) => (holdsWrites ? "it holds what is written" : undefined),
    async run({ content, open }) {
      const disk = await open(ram(content, { readonly: true }));
      assert.equal(disk.capabilities.write, false, "capabilities.write");
      await refused("EPERM", "write", () => disk.write(new Uint8Array(1), 0n));
    },
  },
  {
    name: "it works over disks of any size",
    skip: opaque,
    async run({ open }) {
      for (const size of [0, 1, 511, 513, 4097]) {
        const content = allSorts(size);
        const disk = await open(ram(content));
        assert.equal(disk.size, BigInt(size));
        const target = new Uint8Array(size);
        await disk.read(target, 0n);
        assert.deepEqual(target, content, `a disk of ${size} bytes reads as something else`);
        if (disk.capabilities.write) await disk.write(target.subarray(0, 1), 0n);
        await disk.flush();
      }
    },
  },
];

/** Writes and zeroes here and there. */
async function scribble(area: FilterBench["area"]): Promise<void> {
  for (const [start, length] of area.edges().toReversed()) {
    await area.write(start, length);
    await area.zero(...area.anywhere(5000));
  }
  for (let i = 0; i < 20; i += 1) await area.write(...area.anywhere(5000));
}

/** Makes calls while something is broken below: where that was met, one of them has to fail. */
async function seen(
  { calls, broken, heard }: FilterBench,
  operation: Operation,
  code: string,
  steps: readonly (() => Awaitable<void>)[],
): Promise<void> {
  const met = (): Call | undefined => calls.find((call) => broken.has(call.operation));
  calls.length = 0;
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
      heard.add(error);
    }
  }
  // A filter that holds the bytes itself need not ask the disk below.
  if (met() === undefined) return;
  assert.ok(errors.length > 0, `${met()} failed with ${code}, and nobody heard of it (the ${operation} succeeded)`);
  assert.equal(errorCode(errors[0]), code, `${met()} failed with ${code}, and the client got: ${errorText(errors[0])}`);
}

function unlessNotSupported(error: unknown): void {
  if (errorCode(error) !== "ENOTSUP") throw error;
}
