// `iso` on the command line.

import { runChild } from "../../common/child.ts";
import { iso } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";

export const isoEntry: PluginEntry = pluginEntry({
  name: "iso",
  summary: "Folders as a read-only CD-ROM (ISO 9660)",
  keys: {
    dir: { type: "path", magic: true, required: true, repeatable: true, help: "A folder whose content is on the CD; several are merged" },
    params: { type: "string", help: "Further arguments of the program, as a shell takes them: -JrT -V 'My Disk'" },
    prog: { type: "string", default: "xorriso, genisoimage or mkisofs", help: "The program that makes the image" },
  },
  create: async ({ dir, params, prog }) =>
    iso(dir, { ...(params !== undefined && { params: await shellWords(params) }), ...(prog !== undefined && { program: prog }) }),
});

/** What a shell makes of a text: nbdkit has one read it too. */
async function shellWords(text: string): Promise<readonly string[]> {
  const { code, stdout, stderr } = await runChild("/bin/sh", ["-c", `set -- ${text}\n[ $# = 0 ] || printf '%s\\0' "$@"`]);
  if (code !== 0) throw new Error(`params ${JSON.stringify(text)}: the shell does not understand them: ${stderr.trim()}`);
  return stdout.toString().split("\0").slice(0, -1);
}
