// Exported as "@diskwright/http/command": what `diskwright serve http`, and nbdkit's `curl`, find.

import type { Plugin } from "diskwright";
import { type PluginEntry, pluginEntry } from "diskwright/command";
import { keys, type Options, optionsOf } from "./command/keys.ts";
import { http } from "./http.ts";

/** The plugins of this package, as the command line has them. */
export const plugins: readonly PluginEntry[] = [
  pluginEntry({ name: "curl", summary: "nbdkit's name for http", keys, create }),
  pluginEntry({ name: "http", summary: "A file on a web server, read by ranges", keys, create }),
];

async function create(options: Options): Promise<Plugin> {
  return http(options.url, await optionsOf(options));
}
