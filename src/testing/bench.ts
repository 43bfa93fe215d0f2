// Sets up what a check works with, and puts everything away afterwards.

import { everyStep } from "../contract/every-step.ts";
import type { Disk, Plugin } from "../contract/index.ts";
import { openDisk, pipe } from "../contract/index.ts";
import { Area } from "./area.ts";
import { type Bench, bounded, type Check, Skipped } from "./check.ts";
import type { PluginTestOptions } from "./plugin.ts";
import { poisoned } from "./poisoned.ts";
import { Random } from "./random.ts";
import { type Route, type RouteName, routes } from "./routes.ts";

/** Bytes of the disk's start and of its end that are tested; a disk that is no larger than both is tested whole. */
const START = 320 * 1024;
const END = 64 * 1024;

/** Runs a check on a plugin made anew. */
export async function runCheck(check: Check, route: RouteName, options: PluginTestOptions): Promise<void> {
  const plugin = await options.factory();
  const setup = new Setup(plugin, route, options);
  const work = async (): Promise<void> => {
    const disk = await setup.start();
    const reason = check.skip?.(disk.capabilities, options, disk);
    if (reason !== undefined) throw new Skipped(reason);
    await check.run(await setup.bench(disk));
  };
  const end = (): Promise<void> =>
    everyStep(
      () => setup.end(),
      () => options.cleanup?.(plugin),
    );
  await bounded(options.timeout, work, () => setup.vanish(), end);
}

class Setup {
  readonly #plugin: Plugin;
  readonly #routeName: RouteName;
  readonly #options: PluginTestOptions;
  readonly #disks: Disk[] = [];
  #controller = new AbortController();
  #route: Route | undefined;

  constructor(plugin: Plugin, routeName: RouteName, options: PluginTestOptions) {
    this.#plugin = plugin;
    this.#routeName = routeName;
    this.#options = options;
  }

  async start(): Promise<Disk> {
    this.#route = await routes[this.#routeName](pipe(this.#plugin, poisoned()));
    return this.#open();
  }

  async bench(disk: Disk): Promise<Bench> {
    const options = this.#options;
    const draw = new Random(options.seed ?? 1);
    const areas: Area[] = [];
    for (const [offset, length] of places(disk)) areas.push(await Area.learn(disk, offset, length, draw, options));
    return {
      disk,
      areas,
      draw,
      options,
      openAnother: () => this.#open(),
      reopen: async () => {
        await this.end();
        this.#controller = new AbortController();
        return this.start();
      },
      openDirectly: async () => this.#keep(await openDisk(this.#plugin, this.#export())),
      vanish: () => this.vanish(),
      openAfterPowerCut: async () => this.#keep(await openDisk((await options.crash?.(this.#plugin)) as Plugin, this.#export())),
    };
  }

  /** Has the clients vanish. */
  vanish(): void {
    this.#controller.abort();
  }

  async end(): Promise<void> {
    const disks = this.#disks.splice(0);
    await everyStep(...disks.map((disk) => disk.close), () => this.#route?.close());
  }

  async #open(): Promise<Disk> {
    return this.#keep(await (this.#route as Route).open({ ...this.#export(), signal: this.#controller.signal }));
  }

  #keep(disk: Disk): Disk {
    this.#disks.push(disk);
    return disk;
  }

  #export(): { exportName?: string } {
    const { exportName } = this.#options;
    return exportName === undefined ? {} : { exportName };
  }
}

/** Which parts of a disk are tested, in whole blocks. */
function places({ size, blockSize }: Disk): [bigint, number][] {
  const step = BigInt(blockSize?.minimum ?? 1);
  const usable = size - (size % step);
  if (usable === 0n) return [];
  if (usable <= BigInt(START + END)) return [[0n, Number(usable)]];
  const end = BigInt(END) > step ? BigInt(END) - (BigInt(END) % step) : step;
  return [
    [0n, START - (START % Number(step))],
    [usable - end, Number(end)],
  ];
}
