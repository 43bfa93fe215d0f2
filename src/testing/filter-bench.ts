// Sets up what a check of a filter works with: the disk below, what reaches it, and what goes wrong with it.

import { everyStep } from "../contract/every-step.ts";
import { type Disk, DiskError, openDisk, pipe } from "../contract/index.ts";
import { Area } from "./area.ts";
import type { Call, Operation } from "./call.ts";
import { bounded, Skipped } from "./check.ts";
import type { FilterCheck } from "./checks/filter.ts";
import { faulty } from "./faulty.ts";
import type { FilterTestOptions } from "./filter.ts";
import type { Ram } from "./ram.ts";
import { Random } from "./random.ts";
import { recorded } from "./recorded.ts";

/** What a check of a filter works with. */
export interface FilterBench {
  /** The disk below. */
  readonly below: Ram;
  /** What that holds before anything happens. */
  readonly content: Uint8Array;
  /** What has reached it. */
  readonly calls: Call[];
  /** Operations that fail below from now on, and how. */
  readonly broken: Map<Operation, string>;
  /** Errors that were to be expected: closing may show them once more. */
  readonly heard: Set<unknown>;
  /** The filter's disk. */
  readonly disk: Disk;
  /** All of it. */
  readonly area: Area;
  readonly draw: Random;
  readonly options: FilterTestOptions;
  /** The filter over another disk, opened. */
  open(below: Ram): Promise<Disk>;
}

/** Runs a check on a filter made anew. */
export async function runFilterCheck(
  check: FilterCheck,
  options: FilterTestOptions,
  content: Uint8Array,
  foundation: (bytes: Uint8Array) => Ram,
): Promise<void> {
  const below = foundation(content);
  const calls: Call[] = [];
  const broken = new Map<Operation, string>();
  const heard = new Set<unknown>();
  const disks: Disk[] = [];
  const controller = new AbortController();
  const open = async (source: Ram): Promise<Disk> => {
    const fault = { befall: ({ operation }: Call) => failIf(broken.get(operation), operation) };
    const stack = pipe(source, faulty(fault), recorded("below", calls), await options.filter());
    const { exportName } = options;
    const disk = await openDisk(stack, { signal: controller.signal, ...(exportName !== undefined && { exportName }) });
    disks.push(disk);
    return disk;
  };
  const work = async (): Promise<void> => {
    const disk = await open(below);
    const reason = check.skip?.(options, disk);
    if (reason !== undefined) throw new Skipped(reason);
    const draw = new Random(options.seed ?? 1);
    const area = await Area.learn(disk, 0n, Number(disk.size), draw, options);
    await check.run({ below, content, calls, broken, heard, disk, area, draw, options, open });
  };
  const close = async (disk: Disk): Promise<void> => {
    broken.clear();
    await disk.close().catch((error: unknown) => {
      if (!heard.has(error)) throw error;
    });
  };
  const end = (): Promise<void> => everyStep(...disks.map((disk) => () => close(disk)), () => options.cleanup?.());
  await bounded(options.timeout, work, () => controller.abort(), end);
}

function failIf(code: string | undefined, operation: Operation): void {
  if (code !== undefined) throw new DiskError(code, `${operation} fails below, as the test wants it to`);
}
