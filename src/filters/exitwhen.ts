// `exitwhen`: a server that closes when something happens elsewhere, once its clients have left.

import { Clients } from "../common/clients.ts";
import { type Duration, parseDuration } from "../common/duration.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import { DiskError, errorText } from "../contract/error.ts";
import { filter } from "../contract/filter.ts";
import type { Filter, StartContext } from "../contract/plugin.ts";
import { type Event, fileCreated, fileDeleted, pipeClosed, processExits, scriptSays } from "./exitwhen/events.ts";

/** What {@link exitWhen} waits for: the first of them counts. */
export interface ExitWhenOptions {
  /** A signal that is aborted, or a promise that settles. */
  readonly when?: AbortSignal | PromiseLike<unknown>;
  /** A file that is created. */
  readonly fileCreated?: string | readonly string[];
  /** A file that is deleted. */
  readonly fileDeleted?: string | readonly string[];
  /** The file descriptor of a pipe's reading end: when the other end is closed. */
  readonly pipeClosed?: number | readonly number[];
  /** The number of a process that ends. */
  readonly processExits?: number | readonly number[];
  /** A script of the shell that ends with 88; with 0 it has not happened yet. */
  readonly script?: string | readonly string[];
  /** How often files, processes and scripts are looked at while there are no clients; else it is done when one comes or goes. Default: 60 (seconds). */
  readonly poll?: Duration;
  /** Default: the time of this machine. */
  readonly clock?: Clock;
}

/**
 * When something happens, lets no more clients in, and closes the servers of the disk when those that are there have left.
 *
 * @throws DiskError EINVAL for options that are not what they should be
 * @example
 * ```ts
 * const done = new AbortController();
 * await using server = await serve(pipe(memory("1G"), exitWhen({ when: done.signal })));
 * done.abort();
 * await server.closed;
 * ```
 */
export function exitWhen(options: ExitWhenOptions = {}): Filter {
  const { when, clock = systemClock } = options;
  const events = eventsOf(options);
  const poll = parseDuration(options.poll ?? 60, "poll");
  if (poll === 0) throw new DiskError("EINVAL", "poll 0: expected some time between two looks");
  if (events.length === 0 && when === undefined) return filter("exitwhen", () => ({}));

  return (next) => {
    const watch = new Watch(events, when, poll, clock);
    return filter("exitwhen", () => ({}), {
      start: (_next, context) => watch.start(context),
      async preconnect(below, peer) {
        if (await watch.look()) throw new DiskError("ESHUTDOWN", "the server is about to close: no more clients are let in");
        watch.clients.connected(peer);
        await below.preconnect?.(peer);
      },
      open: (below, request) => watch.clients.open(below, request),
      close: () => watch.stop(),
    })(next);
  };
}

/** Watches out for the events while the disk is in use. */
class Watch {
  readonly clients: Clients = new Clients(() => void this.#left());
  readonly #events: readonly Event[];
  readonly #when: ExitWhenOptions["when"];
  readonly #poll: number;
  readonly #clock: Clock;
  #happened = false;
  #context: StartContext | undefined;
  #controller = new AbortController();
  #looking: Promise<boolean> | undefined;

  constructor(events: readonly Event[], when: ExitWhenOptions["when"], poll: number, clock: Clock) {
    this.#events = events;
    this.#when = when;
    this.#poll = poll;
    this.#clock = clock;
  }

  async start(context: StartContext): Promise<void> {
    this.#context = context;
    this.#controller = new AbortController();
    this.#happened = false;
    try {
      for (const event of this.#events) event.start?.(() => this.#tell());
    } catch (error) {
      this.stop();
      throw error;
    }
    const when = this.#when;
    if (when instanceof AbortSignal) {
      if (when.aborted) this.#tell();
      else when.addEventListener("abort", () => this.#tell(), { once: true, signal: this.#controller.signal });
    } else if (when !== undefined) {
      const { signal } = this.#controller;
      const settled = (): void => {
        if (!signal.aborted) this.#tell();
      };
      when.then(settled, settled);
    }
    await this.look();
    if (this.#events.length > 0 && !this.#happened) void this.#pollUntilStopped(this.#controller.signal);
  }

  stop(): void {
    this.#controller.abort();
    for (const event of this.#events) event.stop?.();
  }

  /** Whether one of the events has happened. Those who ask at the same time get the same answer. */
  async look(): Promise<boolean> {
    if (this.#happened) return true;
    this.#looking ??= this.#lookAtAll().finally(() => {
      this.#looking = undefined;
    });
    if (await this.#looking) this.#tell();
    return this.#happened;
  }

  async #lookAtAll(): Promise<boolean> {
    for (const event of this.#events) {
      try {
        if (await event.happened(this.#controller.signal)) return true;
      } catch (error) {
        if (!this.#controller.signal.aborted)
          process.emitWarning(`diskwright: looking whether to exit failed: ${errorText(error)}`, "DiskwrightWarning");
      }
    }
    return false;
  }

  /** Clients that come and go have it looked at anyway. */
  async #pollUntilStopped(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.#happened) {
      await this.#clock.sleep(this.#poll, signal).catch(() => undefined);
      if (!signal.aborted && this.clients.count === 0) await this.look();
    }
  }

  async #left(): Promise<void> {
    if (this.clients.count === 0 && (await this.look())) this.#endIfIdle();
  }

  #tell(): void {
    if (this.#happened) return;
    this.#happened = true;
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.clients.count === 0) this.#context?.shutdown();
  }
}

function eventsOf(options: ExitWhenOptions): readonly Event[] {
  const { when } = options;
  if (when !== undefined && !(when instanceof AbortSignal) && typeof (when as { then?: unknown } | null)?.then !== "function")
    throw new DiskError("EINVAL", `when ${String(when)}: expected an AbortSignal or a promise`);
  return [
    ...texts(options.fileCreated, "fileCreated", "a path").map(fileCreated),
    ...texts(options.fileDeleted, "fileDeleted", "a path").map(fileDeleted),
    ...numbers(options.pipeClosed, "pipeClosed", "a file descriptor", 0).map(pipeClosed),
    ...numbers(options.processExits, "processExits", "the number of a process", 1).map(processExits),
    ...texts(options.script, "script", "a script of the shell").map(scriptSays),
  ];
}

function texts(value: string | readonly string[] | undefined, name: string, what: string): readonly string[] {
  const list: readonly unknown[] = value === undefined ? [] : Array.isArray(value) ? value : [value];
  for (const text of list)
    if (typeof text !== "string" || text === "") throw new DiskError("EINVAL", `${name} ${JSON.stringify(text)}: expected ${what}`);
  return list as readonly string[];
}

function numbers(value: number | readonly number[] | undefined, name: string, what: string, least: number): readonly number[] {
  const list: readonly unknown[] = value === undefined ? [] : Array.isArray(value) ? value : [value];
  for (const number of list)
    if (!Number.isSafeInteger(number) || (number as number) < least)
      throw new DiskError("EINVAL", `${name} ${String(number)}: expected ${what}`);
  return list as readonly number[];
}
