// A plugin starts once and closes once, however many servers, stacks and in-process owners use it at the same time.

import type { Plugin } from "./plugin.ts";

interface Use {
  users: number;
  /** What the users do when the plugin asks them to close; one that uses it twice is there twice. */
  readonly shutdowns: (() => void)[];
  readonly started: Promise<void>;
  readonly controller: AbortController;
}

const uses = new WeakMap<Plugin, Use>();
const closings = new WeakMap<Plugin, Promise<void>>();

/**
 * Takes part in a plugin: the first to do so starts it. Pair each with {@link release}. A start that fails is nobody's use.
 *
 * @param shutdown - called when the plugin asks its users to close; to be given to {@link release} again
 */
export async function retain(plugin: Plugin, shutdown?: () => void): Promise<void> {
  let use = uses.get(plugin);
  if (use === undefined) {
    const controller = new AbortController();
    const shutdowns: (() => void)[] = [];
    use = { users: 0, controller, shutdowns, started: start(plugin, controller.signal, shutdowns) };
    uses.set(plugin, use);
  }
  use.users += 1;
  if (shutdown !== undefined) use.shutdowns.push(shutdown);
  try {
    await use.started;
  } catch (error) {
    if (uses.get(plugin) === use) uses.delete(plugin);
    use.controller.abort();
    throw error;
  }
}

/** Is done with a plugin: the last to be so closes it, and gets its error if that fails. */
export async function release(plugin: Plugin, shutdown?: () => void): Promise<void> {
  const use = uses.get(plugin);
  if (use === undefined) return;
  const at = shutdown === undefined ? -1 : use.shutdowns.indexOf(shutdown);
  if (at !== -1) use.shutdowns.splice(at, 1);
  use.users -= 1;
  if (use.users > 0) return;
  uses.delete(plugin);
  use.controller.abort();
  const closing = (async () => plugin.close?.())();
  closings.set(plugin, closing);
  try {
    await closing;
  } finally {
    if (closings.get(plugin) === closing) closings.delete(plugin);
  }
}

/** Starts a plugin, once its last use has closed; how that went was for its users to hear. */
async function start(plugin: Plugin, signal: AbortSignal, shutdowns: readonly (() => void)[]): Promise<void> {
  await closings.get(plugin)?.catch(() => undefined);
  const shutdown = (): void => {
    for (const ask of new Set(shutdowns)) ask();
  };
  await plugin.start?.({ signal, shutdown });
}
