// The tmpdisk plugin: a fresh disk for each client.

import { file, filter, fua, openDisk, type Plugin, pipe, type Size } from "diskwright";
import { Disks } from "./disks.ts";
import { makerFor } from "./make.ts";
import { mkfsFor } from "./mkfs.ts";
import { checkOptions, type TmpdiskOptions } from "./options.ts";
import { sweep, temporaryFolder } from "./temporary.ts";

/**
 * A fresh, formatted disk for each client that connects, gone when it leaves: scratch space for virtual machines, and disks for tests. No client sees
 * another one's disk. Export names mean nothing: each opens a new disk.
 *
 * A disk is a sparse file, which takes the room of what is written to it. It is made by `mkfs.TYPE` unless the options say otherwise. No client gets
 * it before its name is removed, so it is gone however the process ends. As nothing outlives the process, flush and FUA have nothing to do.
 *
 * Commands need a POSIX shell: on Windows there is `format` alone.
 *
 * @param size - bytes, or a text as `parseSize()` takes it. A command or function may make a disk of another size
 * @throws DiskError EINVAL when an option is not what it should be. Starting fails when there is no such mkfs, and with `ready` also when a disk
 * cannot be made. Opening fails with ENOSPC when `maxTotal` has no room, ETIMEDOUT after `timeout`, and otherwise with what the program wrote to
 * standard error, of which the client is told nothing
 * @example An ext4 file system for each client
 * ```ts
 * await using server = await serve(tmpdisk("1G", { label: "scratch" }));
 * ```
 * @example A copy of an image for each client, five of them made ahead
 * ```ts
 * const base = "/srv/base.img";
 * const copies = tmpdisk(0, { command: 'cp --sparse=always "$base" "$disk"', parameters: { base }, ready: 5 });
 * ```
 * @example Blank disks, made in JavaScript
 * ```ts
 * const blank = tmpdisk("10G", { format: () => undefined, maxTotal: "100G" });
 * ```
 */
export function tmpdisk(size: Size, options: TmpdiskOptions = {}): Plugin {
  const settings = checkOptions(size, options);
  const { command, format, type = "ext4", label, params, inlineWrites } = settings;
  // What mkfs cannot be told is refused now and not when the first client comes.
  if (command === undefined && format === undefined) mkfsFor(type, label, params);
  let disks: Disks | undefined;
  return {
    name: "tmpdisk",
    async start({ signal }) {
      const made = new Disks(makerFor(settings), settings);
      await sweep(settings.directory ?? temporaryFolder());
      await made.start(signal);
      disks = made;
    },
    async open({ readonly, signal }) {
      if (disks === undefined) throw new Error("tmpdisk has not been started");
      const disk = await disks.take(signal);
      const source = file({ fd: disk.fd }, { inlineWrites });
      const own = filter("tmpdisk", () => ({ traits: { multiConn: false } }), { close: () => disk.close() });
      try {
        return await openDisk(pipe(source, fua({ mode: "discard" }), own), { readonly, signal });
      } catch (error) {
        await disk.close();
        throw error;
      }
    },
    async close() {
      const all = disks;
      disks = undefined;
      await all?.close();
    },
  };
}
