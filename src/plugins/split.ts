// The split plugin: several disks one after the other, as one.

import type { Disk } from "../contract/disk.ts";
import type { Plugin } from "../contract/plugin.ts";
import type { Part } from "./composed/layout.ts";
import { type DiskSource, Sources, toPlugin } from "./composed/sources.ts";

/**
 * Several disks one after the other, as one: files into which an image was cut, or any other plugins. Each keeps its holes, and requests that
 * cross from one to the next go to both. It can be written if all of them can.
 *
 * @param sources - paths, `file:` URLs or plugins, in their order; of a plugin its default export
 * @throws TypeError when there are none, or one is neither
 * @example
 * ```ts
 * const disk = split(["disk.img.001", "disk.img.002", memory("1M")]);
 * ```
 */
export function split(sources: readonly DiskSource[]): Plugin {
  if (!Array.isArray(sources) || sources.length === 0) throw new TypeError("split: expected a list of at least one path or plugin");
  const parts = new Sources(sources.map((source: DiskSource, index) => toPlugin(source, `source ${index + 1} of split()`)));
  return {
    name: "split",
    start: (context) => parts.start(context),
    open: (request) => parts.open(request, oneAfterTheOther),
    close: () => parts.close(),
  };
}

function oneAfterTheOther(disks: readonly Disk[]): Part[] {
  const list: Part[] = [];
  let offset = 0n;
  for (const [index, disk] of disks.entries()) {
    list.push({ offset, length: disk.size, name: `disk ${index + 1}`, disk });
    offset += disk.size;
  }
  return list;
}
