// serve(): disks for everyone who speaks NBD.

import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { everyStep } from "../contract/every-step.ts";
import type { Peer, Plugin } from "../contract/plugin.ts";
import { formatUri } from "../protocol/uri.ts";
import { BufferPool } from "./buffers.ts";
import { BusyPoll } from "./busy-poll.ts";
import { checkOptions } from "./check-options.ts";
import { logIfAsked } from "./diagnostics.ts";
import { ExportMap, type Exports, isPlugin, SingleExport } from "./exports.ts";
import { completeLimits } from "./limits.ts";
import { type Listener, listen } from "./listen.ts";
import type { CloseOptions, Export, ListeningServer, ServeOptions, Server, Source } from "./options.ts";
import { Session, type SessionContext } from "./session.ts";
import { stdio } from "./stdio.ts";

const DEADLINE = 5_000;
/** The longest time that a timer of Node can measure, in milliseconds. */
const LONGEST = 2 ** 31 - 1;
const BUSY_POLL = 100;

/**
 * Serves a plugin, or a map of export names to plugins, over NBD. Resolves when it listens.
 *
 * @throws what a plugin throws when it starts, what listening throws (EADDRINUSE …), TypeError and RangeError for impossible options
 * @example
 * ```ts
 * await using server = await serve(memory("1G"));
 * console.log(server.uri); // nbd+unix:///?socket=… for qemu, nbdcopy, the kernel's nbd-client …
 * ```
 * @example Two exports on TCP, one of them read-only
 * ```ts
 * const server = await serve({ scratch: memory("10G"), base: { plugin: memory("1G"), readonly: true } }, { port: 0 });
 * console.log(server.uriOf("base")); // nbd://127.0.0.1:40123/base
 * await server.close();
 * ```
 */
export function serve(
  source: Source,
  options?: ServeOptions & { readonly listen?: true; readonly stdio?: false },
): Promise<ListeningServer>;
export function serve(source: Source, options?: ServeOptions): Promise<Server>;
export async function serve(source: Source, options: ServeOptions = {}): Promise<Server> {
  checkOptions(options, !isPlugin(source));
  const limits = completeLimits(options.limits);
  const exports = isPlugin(source) ? new SingleExport(source) : new ExportMap(source, options.defaultExport);
  options.signal?.throwIfAborted();
  logIfAsked();
  const context: SessionContext = {
    exports,
    limits,
    pool: new BufferPool(),
    busyPoll: new BusyPoll(options.busyPoll ?? BUSY_POLL),
    readonly: options.readonly ?? false,
  };
  const shutdown = new AbortController();
  await exports.start(() => shutdown.abort(), options.signal);
  const server = new NbdServer(context, exports);
  try {
    if (options.stdio === true) server.serveStdio();
    else if (options.listen !== false) await server.listen(options);
    options.signal?.throwIfAborted();
  } catch (error) {
    await server.close().catch(() => undefined);
    throw error;
  }
  server.closeOn(options.signal);
  server.closeOn(shutdown.signal);
  return server;
}

class NbdServer implements Server {
  readonly closed: Promise<void>;
  readonly #context: SessionContext;
  readonly #exports: Exports;
  readonly #sessions = new Set<Session>();
  #listener: Listener | undefined;
  #accepted = 0;
  #closing: Promise<void> | undefined;
  #settle!: (closing: Promise<void>) => void;

  constructor(context: SessionContext, exports: Exports) {
    this.#context = context;
    this.#exports = exports;
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
    // Whoever closes the server hears of what failed; `closed` is for those who wish to hear of it too.
    this.closed.catch(() => undefined);
  }

  get address(): Server["address"] {
    return this.#listener?.address;
  }

  get uri(): string | undefined {
    return this.uriOf("");
  }

  get connections(): number {
    return this.#sessions.size;
  }

  uriOf(exportName: string): string | undefined {
    const { address } = this;
    if (address === undefined) return undefined;
    // A client can reach all of the machine's addresses, but not by the name for all of them.
    const everywhere = address.transport === "tcp" && /^(0\.0\.0\.0|::)$/.test(address.host);
    return formatUri({ ...address, ...(everywhere && { host: "localhost" }), exportName });
  }

  async listen(options: ServeOptions): Promise<void> {
    this.#listener = await listen(options, (socket, peer) => void this.#serve(socket, peer, true));
  }

  serveStdio(): void {
    void this.#serve(stdio(), { transport: "stdio" }, false).then(() => this.close().catch(() => undefined));
  }

  closeOn(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const close = (): void => void this.close().catch(() => undefined);
    if (signal.aborted) return close();
    signal.addEventListener("abort", close, { once: true });
    const forget = (): void => signal.removeEventListener("abort", close);
    this.closed.then(forget, forget);
  }

  accept(stream: Duplex, peer: Peer = { transport: "stream" }): Promise<void> {
    return this.#serve(stream, peer, false);
  }

  async #serve(stream: Duplex, peer: Peer, accepted: boolean): Promise<void> {
    if (this.#closing !== undefined || this.#sessions.size >= this.#context.limits.connections) {
      stream.on("error", () => undefined);
      stream.destroy();
      return;
    }
    this.#accepted += 1;
    const session = new Session(this.#context, stream, peer, this.#accepted);
    this.#sessions.add(session);
    try {
      // What fails in closing a client is thrown by whoever had it closed, who waits for it too.
      const over = session.over.catch(() => undefined);
      // A plugin may think for ever about whether it wants the client: that is not waited for once the session has ended.
      await Promise.race([session.start(accepted), over]);
      await over;
    } finally {
      this.#sessions.delete(session);
    }
  }

  async add(name: string, source: Plugin | Export): Promise<void> {
    const replaced = await this.#map("add").add(name, source);
    // Those who have it open keep it: it closes with the last of them.
    if (replaced !== undefined) await this.#map("add").release(replaced);
  }

  async remove(name: string, options: CloseOptions = {}): Promise<void> {
    const deadline = deadlineOf(options);
    const map = this.#map("remove");
    const removed = map.remove(name);
    const users = [...this.#sessions].filter((session) => session.uses(removed.plugin, name));
    await everyStep(
      () => stopAll(users, deadline),
      () => map.release(removed),
    );
  }

  async exports(): ReturnType<Server["exports"]> {
    const visible = await this.#exports.preconnect({ transport: "process" });
    return visible.list({
      peer: { transport: "process" },
      readonly: this.#context.readonly,
      tls: false,
      signal: new AbortController().signal,
    });
  }

  async close(options: CloseOptions = {}): Promise<void> {
    const deadline = deadlineOf(options);
    if (this.#closing === undefined) {
      this.#closing = this.#close(deadline);
      this.#settle(this.#closing);
    }
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(deadline: number): Promise<void> {
    const stopped = await Promise.allSettled([stopAll([...this.#sessions], deadline), this.#listener?.close()]);
    await everyStep(
      () => throwAll(stopped),
      () => this.#exports.close(),
    );
  }

  #map(operation: string): ExportMap {
    if (this.#exports instanceof ExportMap) return this.#exports;
    throw new TypeError(`cannot ${operation} an export: this server serves one plugin under every name; serve({ name: plugin }) has a map`);
  }
}

/** Stops sessions and waits until they are over; what failed is thrown. */
async function stopAll(sessions: readonly Session[], deadline: number): Promise<void> {
  if (sessions.length === 0) return;
  const controller = new AbortController();
  const { signal } = controller;
  const timeout = deadline === Infinity ? new Promise<never>(() => undefined) : sleep(deadline, undefined, { signal });
  timeout.catch(() => undefined);
  for (const session of sessions) session.stop(timeout);
  const results = await Promise.allSettled(sessions.map((session) => session.over));
  controller.abort();
  await throwAll(results);
}

/** Throws what failed; several errors as one that has them all. */
function throwAll(results: readonly PromiseSettledResult<unknown>[]): Promise<void> {
  return everyStep(...results.map((result) => () => (result.status === "rejected" ? Promise.reject(result.reason) : undefined)));
}

function deadlineOf({ deadline = DEADLINE }: CloseOptions): number {
  if (deadline === Infinity || (typeof deadline === "number" && deadline >= 0 && deadline <= LONGEST)) return deadline;
  throw new RangeError(`deadline ${String(deadline)}: expected milliseconds from 0 to ${LONGEST}, or Infinity`);
}
