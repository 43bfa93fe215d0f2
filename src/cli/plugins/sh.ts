// `sh` on the command line.

import { type ScriptParameters, sh } from "../../index.ts";
import { MAX_KNOWN_STATUS } from "../../plugins/script/answer.ts";
import { dumpScript } from "../../plugins/script/plugin.ts";
import { shScript } from "../../plugins/sh.ts";
import { type CreateContext, type Parameter, type PluginEntry, pluginEntry } from "../catalogue.ts";
import { readStandardInput } from "../standard-input.ts";

export const shEntry: PluginEntry = pluginEntry({
  name: "sh",
  summary: "A script or program, run for each request",
  keys: { script: { type: "string", magic: true, required: true, help: "The script: its path, or - to read it from standard input" } },
  anyKey: true,
  create: async (_, context) => sh({ ...(await scriptOf(context)), parameters: parametersOf(context) }),
  async dump(context) {
    if (context.parameters.length === 0) return `max_known_status=${MAX_KNOWN_STATUS}`;
    return dumpScript(shScript(await scriptOf(context)), parametersOf(context));
  },
});

async function scriptOf({ parameters, stdin }: CreateContext): Promise<{ readonly script: string } | { readonly source: string }> {
  const [first] = parameters;
  // The keys of the script mean nothing before it is known which one it is.
  if (first === undefined || first.key !== "script") throw new Error("script= is missing: it comes before what the script itself takes");
  return first.value === "-" ? { source: await readStandardInput(stdin, "the script") } : { script: first.value };
}

/** What is for the script: values without a key are for the key that the script calls its magic one. */
function parametersOf({ parameters }: CreateContext): ScriptParameters {
  return parameters.slice(1).map(({ key, value }: Parameter) => [key === "script" ? undefined : key, value] as const);
}
