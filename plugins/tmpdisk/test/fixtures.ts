// Disks for the length of a test, in a folder of their own that can be looked into, and their content as a file.

import { closeSync, openSync, readdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type TmpdiskOptions, tmpdisk } from "@diskwright/tmpdisk";
import { type Disk, openDisk, type Plugin, type Size } from "diskwright";
import { onTestFinished } from "vitest";
import { tree } from "../../../test/fixtures/tree.ts";

/** The options of a plugin whose files are in a folder for this test alone. */
export function within(options: TmpdiskOptions = {}): TmpdiskOptions & { readonly directory: string } {
  return { directory: tree(), ...options };
}

/** A disk, until the end of the test. */
export async function open(source: Plugin | Size, options: TmpdiskOptions = {}): Promise<Disk> {
  const disk = await openDisk(typeof source === "object" ? source : tmpdisk(source, within(options)));
  onTestFinished(() => disk.close());
  return disk;
}

/** Keeps a plugin started until the end of the test, as a server does. */
export async function keepStarted(plugin: Plugin): Promise<void> {
  const controller = new AbortController();
  await plugin.start?.({ signal: controller.signal, shutdown: () => undefined });
  onTestFinished(async () => void (await plugin.close?.()));
}

/** All of a disk as a file that the programs of file systems can look at; holes stay holes. */
export async function saved(disk: Disk): Promise<string> {
  const path = join(tree(), "copy");
  const fd = openSync(path, "wx");
  const block = Buffer.alloc(2 ** 20);
  for await (const { offset, length, hole } of await disk.extents(0n, disk.size)) {
    for (let at = offset; !hole && at < offset + length; at += BigInt(block.length)) {
      const left = offset + length - at;
      const part = left < block.length ? block.subarray(0, Number(left)) : block;
      await disk.read(part, at);
      writeSync(fd, part, 0, part.length, Number(at));
    }
  }
  if (disk.size > 0n) {
    const last = Buffer.alloc(1);
    await disk.read(last, disk.size - 1n);
    writeSync(fd, last, 0, 1, Number(disk.size - 1n));
  }
  closeSync(fd);
  return path;
}

/** Reads a text at the start of a disk. */
export async function textAt(disk: Disk, length: number): Promise<string> {
  const target = Buffer.alloc(length);
  await disk.read(target, 0n);
  return target.toString();
}

/** What is in a folder, with what is below. */
export function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true }) as string[];
}
