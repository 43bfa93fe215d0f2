// Runs a script's methods: one process for each call, in a temporary directory of their own, as many at once as the script allows.

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pipes } from "../../common/child/pipes.ts";
import { type ChildOptions, type ChildResult, pipesIn, runChild } from "../../common/child.ts";
import { errorCode, errorText } from "../../contract/error.ts";
import { Turns } from "../../contract/turns.ts";
import { type Answer, readAnswer, scriptError, type Wishes } from "./answer.ts";
import type { Method } from "./methods.ts";

/** What there is to run. */
export interface Script {
  /** What errors call it. */
  readonly name: string;
  /** Called before the first method, with a directory that is there until the end. */
  prepare?(directory: string): Promise<void>;
  /** What runs a method: a program with its arguments, to which those of the method are added; or what the script would print; or nothing. */
  find(method: Method): readonly [program: string, ...args: string[]] | Uint8Array | undefined;
}

/** How a method is called. */
export interface CallOptions {
  readonly input?: Uint8Array;
  /** Bytes that it may print. Default: 16 MiB. */
  readonly maxOutput?: number;
  readonly signal?: AbortSignal | undefined;
  readonly wishes?: Wishes;
}

/** nbdkit's name for how much may go on at once. */
export type ThreadModel = "serialize_connections" | "serialize_all_requests" | "serialize_requests" | "parallel";

/** That of a script which names none. */
export const DEFAULT_THREAD_MODEL: ThreadModel = "serialize_all_requests";
const threadModels: readonly string[] = ["serialize_connections", "serialize_all_requests", "serialize_requests", "parallel"];
/** Processes at once, however many requests there are. */
const MAX_PROCESSES = 16;
const MAX_OUTPUT = 16 * 1024 * 1024;

/** Only these may say no: elsewhere a script that does so has something else in mind than success. */
const answersByCode: ReadonlySet<Method> = new Set([
  "can_write",
  "can_flush",
  "can_trim",
  "can_zero",
  "can_fast_zero",
  "can_extents",
  "can_multi_conn",
  "is_rotational",
]);

/** A script that is in use. */
export class Runner {
  readonly script: Script;
  #threadModel = DEFAULT_THREAD_MODEL;
  readonly #directory: string;
  readonly #pipes: Pipes | undefined;
  readonly #shutdown: () => void;
  #turns = new Turns(1);

  private constructor(script: Script, directory: string, pipes: Pipes | undefined, shutdown: () => void) {
    this.script = script;
    this.#directory = directory;
    this.#pipes = pipes;
    this.#shutdown = shutdown;
  }

  /** Makes the directories and gets the script ready. */
  static async start(script: Script, shutdown: () => void): Promise<Runner> {
    const directory = await mkdtemp(join(tmpdir(), "diskwright-"));
    try {
      await mkdir(join(directory, "tmp"), { mode: 0o700 });
      await script.prepare?.(directory);
      // Scripts name /dev/stdin and /dev/stderr, which sockets cannot be opened as.
      const pipes = pipesIn(join(directory, "pipes"));
      return new Runner(script, directory, (await pipes.ready()) ? pipes : undefined, shutdown);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** How much may go on at once. */
  get threadModel(): ThreadModel {
    return this.#threadModel;
  }

  /** Asks the script how much may go on at once, from now on; words that are no thread model change nothing. */
  async askThreadModel(signal?: AbortSignal): Promise<void> {
    const { kind, stdout } = await this.call("thread_model", [], { signal });
    const threadModel = stdout.toString().trim();
    if (kind !== "true" || !threadModels.includes(threadModel)) return;
    this.#threadModel = threadModel as ThreadModel;
    const several = threadModel === "serialize_requests" || threadModel === "parallel";
    this.#turns = new Turns(several ? MAX_PROCESSES : 1);
  }

  /** What errors about a method begin with. */
  about(method: Method): string {
    return `${this.script.name}: ${method}`;
  }

  /**
   * Calls a method.
   *
   * @throws Error with a `code` when the script says that it failed, or cannot be run; the signal's reason when that is aborted
   */
  async call(method: Method, args: readonly string[], options: CallOptions = {}): Promise<Answer> {
    const found = this.script.find(method);
    if (found === undefined) return { kind: "missing", stdout: Buffer.alloc(0) };
    if (found instanceof Uint8Array) return { kind: "true", stdout: Buffer.from(found) };
    const { input, maxOutput = MAX_OUTPUT, signal, wishes = { shutdown: this.#shutdown } } = options;
    const done = await this.#turns.take(signal);
    try {
      const result = await this.#run(method, found, args, { maxOutput, signal, ...(input && { input }) });
      const answer = readAnswer(result, this.about(method), wishes);
      if (answer.kind === "false" && !answersByCode.has(method))
        throw scriptError("EIO", `${this.about(method)}: exit code 3 (false) is no answer to this`);
      return answer;
    } finally {
      done();
    }
  }

  async #run(
    method: Method,
    command: readonly [string, ...string[]],
    args: readonly string[],
    options: ChildOptions,
  ): Promise<ChildResult> {
    const [program, ...first] = command;
    try {
      return await runChild(program, [...first, method, ...args], {
        ...options,
        ...(this.#pipes && { pipes: this.#pipes }),
        env: { tmpdir: join(this.#directory, "tmp") },
      });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      const many = errorCode(error) === "EOVERFLOW" ? `it printed more than the ${options.maxOutput} bytes that it may` : errorText(error);
      throw scriptError("EIO", `${this.about(method)}: ${many}`);
    }
  }

  /** Calls a method that need not be there, and means nothing but success or failure. */
  async notify(method: Method, args: readonly string[] = [], options?: CallOptions): Promise<void> {
    await this.call(method, args, options);
  }

  /** Removes the script's directory with all that the script has left in it. */
  async stop(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}
