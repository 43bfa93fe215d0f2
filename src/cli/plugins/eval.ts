// `eval` on the command line.

import { type EvalOptions, evalScripts } from "../../index.ts";
import { evalMethods, evalScript } from "../../plugins/eval.ts";
import { dumpScript } from "../../plugins/script/plugin.ts";
import type { CreateContext, Key, PluginEntry } from "../catalogue.ts";

const keys: readonly (readonly [string, Key])[] = evalMethods.map((method) => [method, { type: "string", help: `Script for ${method}` }]);

export const evalEntry: PluginEntry = {
  name: "eval",
  summary: "Small shell scripts, one for each kind of request",
  keys: {
    ...Object.fromEntries(keys),
    missing: { type: "string", default: "exit 2", help: "Script for the methods that are not given" },
  },
  anyKey: true,
  create: (_, context) => evalScripts(optionsOf(context)),
  dump(context) {
    const options = optionsOf(context);
    return dumpScript(evalScript(options), options.parameters ?? []);
  },
};

/** What names a method is its script; the rest is for the config script. */
function optionsOf({ parameters }: CreateContext): EvalOptions {
  const isMethod = (key: string): boolean => (evalMethods as readonly string[]).includes(key);
  const methods = Object.fromEntries(parameters.filter(({ key }) => isMethod(key)).map(({ key, value }) => [key, value]));
  const missing = parameters.findLast(({ key }) => key === "missing")?.value;
  return {
    methods,
    parameters: parameters.filter(({ key }) => !isMethod(key) && key !== "missing").map(({ key, value }) => [key, value] as const),
    ...(missing !== undefined && { missing }),
  };
}
