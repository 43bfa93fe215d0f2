// What a check of the kit is, and how it is run by whatever test function the author uses.

import { everyStep } from "../contract/every-step.ts";
import type { Capabilities, Disk } from "../contract/index.ts";
import type { Area } from "./area.ts";
import type { PluginTestOptions } from "./plugin.ts";
import type { Random } from "./random.ts";

/** The author's own test function: vitest's or node:test's `test`, mocha's `it`. */
export type TestFunction = (name: string, body: () => Promise<void>) => unknown;

/** What a check works with: a disk that was just opened, and what it is to hold. */
export interface Bench {
  readonly disk: Disk;
  /** The parts of the disk that are tested; none on a disk of no bytes. */
  readonly areas: readonly Area[];
  readonly draw: Random;
  readonly options: PluginTestOptions;
  /** Opens the disk for another client, as long as this one is there. */
  openAnother(): Promise<Disk>;
  /** Opens the disk of the plugin as it is. */
  openDirectly(): Promise<Disk>;
  /** Closes everything and opens the disk again, of the same plugin. */
  reopen(): Promise<Disk>;
  /** Has the client vanish: aborts `request.signal`. */
  vanish(): void;
  /** Opens what would be found after a power cut; only with {@link PluginTestOptions.crash}. */
  openAfterPowerCut(): Promise<Disk>;
}

/** One rule of the contract. */
export interface Check {
  /** The rule. */
  readonly name: string;
  /** Why a disk need not keep it, if so. */
  skip?(can: Capabilities, options: PluginTestOptions, disk: Disk): string | undefined;
  /** Throws when it is broken. */
  run(bench: Bench): Promise<void>;
}

/** Thrown to leave a test that does not apply. */
export class Skipped extends Error {}

/** Registers a test; one that throws {@link Skipped} is shown as skipped, with the reason, as far as the test function can. */
export function register(test: TestFunction, name: string, body: () => Promise<void>): void {
  test(name, async function (this: unknown): Promise<void> {
    // Test functions hand on a context as the first argument, or as `this`. It is not a parameter, as mocha would then wait for a callback.
    // biome-ignore lint/complexity/noArguments: see above
    const contexts = [arguments[0], this];
    try {
      await body();
    } catch (error) {
      if (!(error instanceof Skipped)) throw error;
      const context = contexts.find((value) => typeof (value as Partial<Skippable> | undefined)?.skip === "function");
      if (context === undefined) console.warn(`SKIPPED ${name}: ${error.message}`);
      else (context as Skippable).skip(error.message);
    }
  });
}

interface Skippable {
  skip(reason: string): void;
}

/**
 * Does `work`, and then `end`, whatever came of it. Each may take so many milliseconds (10,000); where they do not suffice for the work,
 * `abandon` is called to cut short what is under way.
 */
export async function bounded(
  milliseconds: number | undefined,
  work: () => Promise<void>,
  abandon: () => void,
  end: () => Promise<void>,
): Promise<void> {
  await everyStep(
    () => within(milliseconds, work, "a call is never answered, or the option timeout is too short for a slow disk", abandon),
    () => within(milliseconds, end, "closing waits for the calls under way", abandon),
  );
}

async function within(milliseconds = 10_000, work: () => Promise<void>, why: string, abandon: () => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`not done after ${milliseconds} ms: ${why}`));
      abandon();
    }, milliseconds);
  });
  try {
    await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
