// One client's view of a disk that a script is.

import { setMaxListeners } from "node:events";
import { complete } from "../../contract/complete.ts";
import type { Connection } from "../../contract/connection.ts";
import type { Disk } from "../../contract/disk.ts";
import { everyStep, failAfter } from "../../contract/every-step.ts";
import type { OpenRequest } from "../../contract/plugin.ts";
import { Turns } from "../../contract/turns.ts";
import { type Answer, scriptError, type Wishes } from "./answer.ts";
import type { Method } from "./methods.ts";
import { readBlockSize, readExtents, readMode, readSize, readText } from "./output.ts";
import type { CallOptions, Runner } from "./runner.ts";

/**
 * Opens the disk for a client: asks the script for a handle, and then for all that it can do.
 *
 * @param leave - called when the client is gone
 */
export async function openConnection(runner: Runner, request: OpenRequest, wishes: Wishes, leave?: () => void): Promise<Disk> {
  const { exportName, readonly, tls, signal } = request;
  // As many requests as are under way may wait, and listen for the client's going.
  setMaxListeners(0, signal);
  const { stdout } = await runner.call("open", [String(readonly), exportName, String(tls)], { signal, wishes });
  const client = new Client(runner, readText(stdout), signal, wishes);
  try {
    // It is completed here, because requests wait for their turn in the runner, and are not to be queued once more.
    return complete(await client.connection(readonly, leave), { name: runner.script.name });
  } catch (error) {
    return failAfter(error, () => client.close());
  }
}

class Client {
  readonly #runner: Runner;
  readonly #handle: string;
  readonly #options: CallOptions;
  readonly #turns: Turns | undefined;

  constructor(runner: Runner, handle: string, signal: AbortSignal, wishes: Wishes) {
    this.#runner = runner;
    this.#handle = handle;
    this.#options = { signal, wishes };
    this.#turns = runner.threadModel === "serialize_requests" ? new Turns(1) : undefined;
  }

  async connection(readonly: boolean, leave?: () => void): Promise<Connection> {
    const size = readSize((await this.#must("get_size")).stdout, this.#runner.about("get_size"));
    const blockSize = await this.#ask("block_size", readBlockSize);
    const description = await this.#ask("export_description", readText);
    const write = !readonly && (await this.#can("can_write"));
    const flush = await this.#can("can_flush");
    const trim = write && (await this.#can("can_trim"));
    const zero = write && (await this.#can("can_zero"));
    const fua = write ? await this.#ask("can_fua", readMode) : undefined;
    const cache = (await this.#ask("can_cache", readMode)) ?? "none";
    const extents = await this.#can("can_extents");
    return {
      size,
      ...(blockSize && { blockSize }),
      // One that is too long to be told is not told.
      ...(description && Buffer.byteLength(description) <= 4096 && { description }),
      traits: {
        // Without a flush there is nothing to emulate it by.
        ...(fua && { fua: fua === "emulate" && !flush ? "none" : fua }),
        cache,
        fastZero: zero && (await this.#can("can_fast_zero")),
        multiConn: await this.#can("can_multi_conn"),
        rotational: await this.#can("is_rotational"),
      },
      read: (target, offset) => this.#read(target, offset),
      ...(write && {
        write: (source, offset, flags) => this.#do("pwrite", [source.length, offset, flags.fua ? "fua" : ""], source),
      }),
      ...(flush && { flush: () => this.#do("flush", []) }),
      ...(trim && { trim: (offset, length, flags) => this.#do("trim", [length, offset, flags.fua ? "fua" : ""]) }),
      ...(zero && {
        zero: (offset, length, { fua, noHole, fastZero }) =>
          this.#do("zero", [length, offset, words({ fua, may_trim: !noHole, fast: fastZero })]),
      }),
      ...(extents && {
        extents: async (offset, length, { reqOne }) => {
          const { stdout } = await this.#must("extents", [length, offset, reqOne ? "req_one" : ""]);
          return readExtents(stdout, this.#runner.about("extents"));
        },
      }),
      ...(cache === "native" && { cache: (offset, length) => this.#do("cache", [length, offset]) }),
      close: () =>
        everyStep(
          () => this.close(),
          () => leave?.(),
        ),
    };
  }

  /** Also a client that is gone is told of. */
  async close(): Promise<void> {
    const { wishes } = this.#options;
    await this.#runner.notify("close", [this.#handle], wishes === undefined ? {} : { wishes });
  }

  async #read(target: Uint8Array, offset: bigint): Promise<void> {
    const { stdout } = await this.#must("pread", [target.length, offset], { maxOutput: target.length });
    if (stdout.length < target.length) {
      const text = `it printed ${stdout.length} bytes, and ${target.length} were asked for`;
      throw scriptError("EIO", `${this.#runner.about("pread")}: ${text}`);
    }
    target.set(stdout);
  }

  async #do(method: Method, args: readonly (number | bigint | string)[], input?: Uint8Array): Promise<void> {
    await this.#must(method, args, input && { input });
  }

  /** Calls a method that has to be there. */
  async #must(method: Method, args: readonly (number | bigint | string)[] = [], more?: CallOptions): Promise<Answer> {
    const answer = await this.#call(method, args, more);
    if (answer.kind === "true") return answer;
    throw scriptError("EIO", `${this.#runner.about(method)}: the script has no such method (exit code 2)`);
  }

  async #can(method: Method): Promise<boolean> {
    return (await this.#call(method)).kind === "true";
  }

  /** What a method prints, where it is there. */
  async #ask<T>(method: Method, read: (output: Buffer, about: string) => T): Promise<T | undefined> {
    const { kind, stdout } = await this.#call(method);
    return kind === "true" ? read(stdout, this.#runner.about(method)) : undefined;
  }

  async #call(method: Method, args: readonly (number | bigint | string)[] = [], more?: CallOptions): Promise<Answer> {
    const done = await this.#turns?.take(this.#options.signal);
    try {
      return await this.#runner.call(method, [this.#handle, ...args.map(String)], { ...this.#options, ...more });
    } finally {
      done?.();
    }
  }
}

/** The names of those that are so, with commas between them. */
function words(flags: Readonly<Record<string, boolean>>): string {
  return Object.keys(flags)
    .filter((name) => flags[name])
    .join(",");
}
