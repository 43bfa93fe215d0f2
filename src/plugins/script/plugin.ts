// The plugin that a script is: its life from start to end, and its clients.

import { everyStep, failAfter } from "../../contract/every-step.ts";
import type { ClientInfo, Concurrency, ExportInfo, OpenRequest, Plugin } from "../../contract/plugin.ts";
import { Turns } from "../../contract/turns.ts";
import { MAX_KNOWN_STATUS, scriptError } from "./answer.ts";
import { openConnection } from "./connection.ts";
import { readExports } from "./output.ts";
import { DEFAULT_THREAD_MODEL, Runner, type Script, type ThreadModel } from "./runner.ts";

/**
 * What a script's `config` method gets, in order: an object, or pairs where a name comes more than once. A value without a name is given by the
 * name that the script's `magic_config_key` prints.
 */
export type ScriptParameters = Readonly<Record<string, string>> | readonly (readonly [name: string | undefined, value: string])[];

type Pair = readonly [name: string | undefined, value: string];

/** What the thread models are here. With `serialize_connections` clients wait for each other as well. */
const concurrencies: Readonly<Record<ThreadModel, Concurrency>> = {
  serialize_connections: "plugin",
  serialize_all_requests: "plugin",
  serialize_requests: "connection",
  parallel: "parallel",
};

/** Makes a plugin of a script. How many requests go on at once is what the script says when it is started, and what one that is silent says until then. */
export function scriptPlugin(script: Script, given: ScriptParameters | undefined): Plugin {
  const parameters = listOf(given);
  let running: { readonly runner: Runner; readonly clients: Turns | undefined; readonly shutdown: () => void } | undefined;
  const use = (): NonNullable<typeof running> => {
    if (running === undefined) throw new Error(`${script.name} has not been started`);
    return running;
  };
  return {
    name: script.name,
    get concurrency() {
      return concurrencies[running?.runner.threadModel ?? DEFAULT_THREAD_MODEL];
    },
    async start({ signal, shutdown }) {
      const runner = await Runner.start(script, shutdown);
      try {
        await getReady(runner, parameters, signal);
      } catch (error) {
        await failAfter(error, () => end(runner));
      }
      running = { runner, shutdown, clients: runner.threadModel === "serialize_connections" ? new Turns(1) : undefined };
    },
    async preconnect() {
      await use().runner.notify("preconnect", ["false"]);
    },
    exports: (client) => listExports(use().runner, client),
    defaultExport: (client) => defaultExport(use().runner, client),
    async open(request: OpenRequest) {
      const { runner, clients, shutdown } = use();
      const leave = await clients?.take(request.signal);
      try {
        return await openConnection(runner, request, { shutdown, disconnect: (how) => request.disconnect(how) }, leave);
      } catch (error) {
        leave?.();
        throw error;
      }
    },
    async close() {
      const { runner } = use();
      running = undefined;
      await end(runner);
    },
  };
}

/** All that is called before the first client. */
async function getReady(runner: Runner, parameters: readonly Pair[], signal: AbortSignal): Promise<void> {
  await configure(runner, parameters, signal);
  await runner.notify("config_complete", [], { signal });
  await runner.askThreadModel(signal);
  await runner.notify("get_ready", [], { signal });
  await runner.notify("after_fork", [], { signal });
}

/** What a script says of itself, for `--dump-plugin`: its thread model, and its own lines. */
export async function dumpScript(script: Script, parameters: ScriptParameters): Promise<string> {
  const runner = await Runner.start(script, () => undefined);
  try {
    await configure(runner, listOf(parameters));
    await runner.askThreadModel();
    const said = (await runner.call("dump_plugin", [])).stdout.toString().trimEnd();
    return [`thread_model=${runner.threadModel}`, `max_known_status=${MAX_KNOWN_STATUS}`, ...(said === "" ? [] : [said])].join("\n");
  } finally {
    await end(runner);
  }
}

/**
 * Loads a script and gives it its parameters.
 *
 * @throws Error when it does not take one of them
 */
async function configure(runner: Runner, parameters: readonly Pair[], signal?: AbortSignal): Promise<void> {
  await runner.notify("load", [], { signal });
  for (const [given, value] of parameters) {
    const name = given ?? (await magicKey(runner, value, signal));
    const { kind } = await runner.call("config", [name, value], { signal });
    if (kind !== "true")
      throw scriptError(
        "EINVAL",
        `${runner.script.name}: the script does not take the parameter ${name}=${value}: it has no config method`,
      );
  }
}

async function magicKey(runner: Runner, value: string, signal: AbortSignal | undefined): Promise<string> {
  const { kind, stdout } = await runner.call("magic_config_key", [], { signal });
  const name = kind === "true" ? stdout.toString().trim() : "";
  if (name !== "") return name;
  throw scriptError(
    "EINVAL",
    `${runner.script.name}: expected key=value, got ${JSON.stringify(value)}: the script has no magic_config_key method`,
  );
}

/** What a script fails to do at its end changes nothing any more. */
async function end(runner: Runner): Promise<void> {
  await everyStep(
    () => runner.notify("unload").catch(() => undefined),
    () => runner.stop(),
  );
}

async function listExports(runner: Runner, client: ClientInfo): Promise<readonly ExportInfo[]> {
  const { readonly, tls, signal } = client;
  const { kind, stdout } = await runner.call("list_exports", [String(readonly), String(tls)], { signal });
  return kind === "true" ? readExports(stdout) : [{ name: await defaultExport(runner, client) }];
}

async function defaultExport(runner: Runner, { readonly, tls, signal }: ClientInfo): Promise<string> {
  const { kind, stdout } = await runner.call("default_export", [String(readonly), String(tls)], { signal });
  return kind === "true" ? (readExports(stdout)[0]?.name ?? "") : "";
}

/** Parameters as a list. */
function listOf(parameters: ScriptParameters = {}): readonly Pair[] {
  const list: readonly Pair[] = Array.isArray(parameters) ? parameters : Object.entries(parameters);
  for (const [name, value] of list) {
    if ((name === undefined || (typeof name === "string" && name !== "")) && typeof value === "string") continue;
    throw scriptError("EINVAL", `option parameters: ${String(name)}=${String(value)}: expected names and values as strings`);
  }
  return list;
}
