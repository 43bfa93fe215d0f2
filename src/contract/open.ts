// Opening a plugin in process, without a server.

import { assertPlugin } from "./assert-plugin.ts";
import { complete } from "./complete.ts";
import type { Connection } from "./connection.ts";
import { type Disk, isDisk } from "./disk.ts";
import { everyStep, failAfter } from "./every-step.ts";
import { release, retain } from "./lifecycle.ts";
import type { OpenRequest, Plugin } from "./plugin.ts";
import { queueFor } from "./queue.ts";
import { withClose } from "./with-close.ts";

/** How {@link openDisk} opens. */
export interface OpenDiskOptions {
  /** Which export of the plugin. Default: its default export. */
  readonly exportName?: string;
  /** Tells the plugin that nothing will be written. Default: false. */
  readonly readonly?: boolean;
  /**
   * Gives up opening: at once while the plugin starts, even if it does not heed that, and as soon as it does while it opens. Later it ends what
   * the plugin is doing for this disk, whose requests fail as soon as the plugin heeds it; the disk is still to be closed.
   */
  readonly signal?: AbortSignal;
}

/**
 * Opens a plugin in process. Closing the disk also closes the plugin if nobody else uses it.
 *
 * @throws what the plugin throws when it starts or opens; the signal's reason when it is aborted before the disk is there
 * @example
 * ```ts
 * await using disk = await openDisk(pipe(memory("1G"), myFilter()));
 * const sector = new Uint8Array(512);
 * await disk.read(sector, 0n);
 * ```
 */
export async function openDisk(plugin: Plugin, options: OpenDiskOptions = {}): Promise<Disk> {
  const { exportName, readonly = false, signal } = options;
  assertPlugin(plugin, "what openDisk() is to open");
  signal?.throwIfAborted();
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const forget = (): void => {
    signal?.removeEventListener("abort", abort);
    controller.abort();
  };
  const client = { peer: { transport: "process" }, readonly, tls: false, signal: controller.signal } as const;
  try {
    await retain(plugin, undefined, controller.signal);
  } catch (error) {
    return failAfter(error, forget);
  }
  try {
    controller.signal.throwIfAborted();
    const name = exportName ?? (await plugin.defaultExport?.(client)) ?? "";
    const disk = await openLayer(plugin, {
      ...client,
      exportName: name,
      disconnect: ({ immediately = false } = {}) => immediately && controller.abort(),
    });
    return withClose(disk, () => everyStep(disk.close, forget, () => release(plugin)));
  } catch (error) {
    return failAfter(error, forget, () => release(plugin));
  }
}

/** Opens one layer of a stack and completes it. The plugin must have been started. */
export async function openLayer(plugin: Plugin, request: OpenRequest): Promise<Disk> {
  return asDisk(plugin, await plugin.open(request));
}

/** What `plugin` opened, completed unless it is so already. */
export function asDisk(plugin: Plugin, opened: Connection): Disk {
  return isDisk(opened) ? opened : complete(opened, { queue: queueFor(plugin), name: plugin.name });
}
