// A plugin starts once and closes once, however many servers, stacks and in-process owners use it at the same time.

import { errorText } from "./error.ts";
import type { Plugin } from "./plugin.ts";

interface Use {
  users: number;
  /** What the users do when the plugin asks them to close; one that uses it twice is there twice. */
  readonly shutdowns: (() => void)[];
  readonly started: Promise<void>;
  ready: boolean;
  readonly controller: AbortController;
}

const uses = new WeakMap<Plugin, Use>();
const closings = new WeakMap<Plugin, Promise<void>>();

/**
 * Takes part in a plugin: the first to do so starts it. Pair each with {@link release}. A start that fails is nobody's use.
 *
 * @param shutdown - called when the plugin asks its users to close; to be given to {@link release} again
 * @param signal - gives up waiting for the start, at once, whatever the plugin does: when nobody else waits for it, its signal is aborted, and it is
 *   closed if it starts nevertheless
 * @throws what the plugin throws when it starts; the signal's reason
 */
export async function retain(plugin: Plugin, shutdown?: () => void, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  let use = uses.get(plugin);
  if (use === undefined) {
    use = begin(plugin);
    uses.set(plugin, use);
  }
  use.users += 1;
  if (shutdown !== undefined) use.shutdowns.push(shutdown);
  try {
    if (!use.ready) await unlessAborted(use.started, signal);
  } catch (error) {
    // One that failed to start is in use no more; one that is still starting may have other users.
    if (uses.get(plugin) === use && leave(plugin, use, shutdown, error)) void close(plugin, use.started).catch(reportLate);
    throw error;
  }
}

/** Is done with a plugin: the last to be so closes it, and gets its error if that fails. */
export async function release(plugin: Plugin, shutdown?: () => void): Promise<void> {
  const use = uses.get(plugin);
  if (use !== undefined && leave(plugin, use, shutdown)) await close(plugin);
}

function begin(plugin: Plugin): Use {
  const controller = new AbortController();
  const shutdowns: (() => void)[] = [];
  const started = start(plugin, controller.signal, shutdowns);
  const use: Use = { users: 0, controller, shutdowns, started, ready: false };
  started.then(
    () => {
      use.ready = true;
    },
    () => {
      if (uses.get(plugin) === use) uses.delete(plugin);
      controller.abort();
    },
  );
  return use;
}

/** Starts a plugin, once its last use has closed; how that went was for its users to hear. */
async function start(plugin: Plugin, signal: AbortSignal, shutdowns: readonly (() => void)[]): Promise<void> {
  await closings.get(plugin)?.catch(() => undefined);
  // All who wanted it may have given up meanwhile.
  signal.throwIfAborted();
  const shutdown = (): void => {
    for (const ask of new Set(shutdowns)) ask();
  };
  await plugin.start?.({ signal, shutdown });
}

/** Takes one user away; answers whether it was the last, after whom the plugin is to be closed. */
function leave(plugin: Plugin, use: Use, shutdown: (() => void) | undefined, reason?: unknown): boolean {
  const at = shutdown === undefined ? -1 : use.shutdowns.indexOf(shutdown);
  if (at !== -1) use.shutdowns.splice(at, 1);
  use.users -= 1;
  if (use.users > 0) return false;
  uses.delete(plugin);
  use.controller.abort(reason);
  return true;
}

/** Closes a plugin; one that is still starting once it has, unless that fails. Nobody starts it again before. */
async function close(plugin: Plugin, starting?: Promise<void>): Promise<void> {
  const closing = (async () => {
    if (starting !== undefined && !(await succeeds(starting))) return;
    await plugin.close?.();
  })();
  closings.set(plugin, closing);
  try {
    await closing;
  } finally {
    if (closings.get(plugin) === closing) closings.delete(plugin);
  }
}

function succeeds(promise: Promise<void>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  );
}

/** Settles as `promise` does, or rejects with the signal's reason when that is aborted first. */
async function unlessAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return promise;
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort as () => void);
  }
}

/** Who has given up on a plugin does not wait for its end, and yet is told of what fails there. */
function reportLate(error: unknown): void {
  process.emitWarning(`diskwright: closing a plugin that started too late failed: ${errorText(error)}`, "DiskwrightWarning");
}
