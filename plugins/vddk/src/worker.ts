// A thread in which the library runs when it is not isolated: one opens and closes all disks of the process, as VMware asks for, and each open disk has
// one of its own that reads and writes.

import { parentPort, workerData } from "node:worker_threads";
import koffi from "koffi";
import { Engine } from "./engine/engine.ts";
import { loadLibC } from "./engine/libc.ts";
import { Library } from "./engine/library.ts";
import type { Located } from "./engine/locate.ts";
import type { Answer, Message } from "./jobs.ts";

/** What a thread is started with. */
export interface WorkerSetup {
  readonly located: Located;
  readonly memory?: SharedArrayBuffer;
}

const { located, memory }: WorkerSetup = workerData;
let engine: Engine | undefined;

parentPort?.on("message", (message: Message) => {
  parentPort?.postMessage(answer(message));
});

function answer(message: Message): Answer {
  try {
    engine ??= load();
    return engine.answer(message);
  } catch (error) {
    return { id: message.id, failure: { text: error instanceof Error ? error.message : String(error) } };
  }
}

function load(): Engine {
  const c = loadLibC();
  // Messages go nowhere, warnings to standard error. None of them may be NULL, which would be functions of the library's that threads cannot share;
  // a function that ignores what it is given does for the messages.
  const log = { log: c.symbol("getppid"), warn: c.symbol("vwarnx") };
  return new Engine(new Library(located, c), log, memory && koffi.address(new Uint8Array(memory)));
}
