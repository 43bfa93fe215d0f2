// The disks that a composed one is made of: paths or plugins, started, opened and closed together.

import { describe } from "../../contract/assert-plugin.ts";
import type { Connection } from "../../contract/connection.ts";
import type { Disk } from "../../contract/disk.ts";
import { everyStep, failAfter } from "../../contract/every-step.ts";
import { release, retain } from "../../contract/lifecycle.ts";
import { openLayer } from "../../contract/open.ts";
import { assertPlugin } from "../../contract/pipe.ts";
import type { OpenRequest, Plugin, StartContext } from "../../contract/plugin.ts";
import { file } from "../file.ts";
import { composedConnection } from "./connection.ts";
import type { Part } from "./layout.ts";

/** A file's path, a `file:` URL, or any plugin. */
export type DiskSource = string | URL | Plugin;

/**
 * The plugin that a source stands for.
 *
 * @param what - what it is, for errors: "source 2 of split()"
 * @throws TypeError when it is neither path nor plugin
 */
export function toPlugin(source: DiskSource, what: string): Plugin {
  if (typeof source === "string" || source instanceof URL) return file(source);
  if (typeof source === "object" && source !== null) return assertPlugin(source, what);
  throw new TypeError(`${what} is neither a path nor a plugin: it is ${describe(source)}`);
}

/** Plugins that live and die together. */
export class Sources {
  readonly #plugins: readonly Plugin[];
  #shutdown: (() => void) | undefined;

  constructor(plugins: readonly Plugin[]) {
    this.#plugins = plugins;
  }

  /** Starts all of them, or none. */
  async start({ shutdown, signal }: StartContext): Promise<void> {
    this.#shutdown = shutdown;
    const started: Plugin[] = [];
    try {
      for (const plugin of this.#plugins) {
        await retain(plugin, shutdown, signal);
        started.push(plugin);
      }
    } catch (error) {
      await failAfter(error, ...started.map((plugin) => () => release(plugin, shutdown)));
    }
  }

  /**
   * Opens the default export of each, and composes them.
   *
   * @param layOut - says what lies where
   */
  async open(request: OpenRequest, layOut: (disks: readonly Disk[]) => readonly Part[]): Promise<Connection> {
    const disks: Disk[] = [];
    try {
      for (const plugin of this.#plugins) {
        const exportName = (await plugin.defaultExport?.(request)) ?? "";
        disks.push(await openLayer(plugin, { ...request, exportName }));
      }
      return composedConnection(layOut(disks), disks);
    } catch (error) {
      return failAfter(error, ...disks.map((disk) => disk.close));
    }
  }

  /** Closes all of them, whatever becomes of each. */
  close(): Promise<void> {
    return everyStep(...this.#plugins.map((plugin) => () => release(plugin, this.#shutdown)));
  }
}
