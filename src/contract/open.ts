// Opening a plugin in process, without a server.

import { complete } from "./complete.ts";
import { type Disk, isDisk } from "./disk.ts";
import { release, retain } from "./lifecycle.ts";
import type { OpenRequest, Plugin } from "./plugin.ts";
import { queueFor } from "./queue.ts";

/** How {@link openDisk} opens. */
export interface OpenDiskOptions {
  /** Which export of the plugin. Default: its default export. */
  readonly exportName?: string;
  /** Tells the plugin that nothing will be written. Default: false. */
  readonly readonly?: boolean;
  /** Ends what the plugin is doing for this disk. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a plugin in process. Closing the disk also closes the plugin if nobody else uses it.
 *
 * @throws what the plugin throws when it starts or opens
 * @example
 * ```ts
 * await using disk = await openDisk(pipe(file("disk.img"), partition(1)));
 * const bootSector = new Uint8Array(512);
 * await disk.read(bootSector, 0n);
 * ```
 */
export async function openDisk(plugin: Plugin, options: OpenDiskOptions = {}): Promise<Disk> {
  const { exportName, readonly = false, signal } = options;
  signal?.throwIfAborted();
  await retain(plugin);
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const client = { peer: { transport: "process" }, readonly, tls: false, signal: controller.signal } as const;
  try {
    const name = exportName ?? (await plugin.defaultExport?.(client)) ?? "";
    const disk = await openLayer(plugin, { ...client, exportName: name });
    return closing(disk, async () => {
      signal?.removeEventListener("abort", abort);
      controller.abort();
      await release(plugin);
    });
  } catch (error) {
    signal?.removeEventListener("abort", abort);
    controller.abort();
    await release(plugin);
    throw error;
  }
}

/** Opens one layer of a stack and completes it. The plugin must have been started. */
export async function openLayer(plugin: Plugin, request: OpenRequest): Promise<Disk> {
  const connection = await plugin.open(request);
  return isDisk(connection) ? connection : complete(connection, { queue: queueFor(plugin) });
}

/** Makes `after` run once the disk has closed, also when that failed; the first error is thrown. */
function closing(disk: Disk, after: () => Promise<void>): Disk {
  const inner = disk.close;
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= inner().finally(after);
    return closed;
  };
  return Object.create(disk, {
    close: { value: close, enumerable: true },
    [Symbol.asyncDispose]: { value: close },
  }) as Disk;
}
