// The process in which the library runs when it is isolated: one for each open disk. It is told what to do over Node's own channel to its parent;
// what is read and written goes through a file in memory, descriptor 4.

import { Engine } from "./engine/engine.ts";
import { loadLibC } from "./engine/libc.ts";
import { Library } from "./engine/library.ts";
import type { Located } from "./engine/locate.ts";
import type { Answer, Message } from "./jobs.ts";

/** The descriptor of the shared memory. */
const MEMORY = 4;

/** The first message. */
export interface ChildSetup {
  readonly located: Located;
  /** Bytes of shared memory. */
  readonly memory: number;
}

let engine: Engine | undefined;
let failure = "it was asked too early";

// Our parent ends us when it has done with the disk, and not the terminal or service manager that tells both of us to end.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
process.on("disconnect", () => process.exit(0));
process.on("message", (message: Message | ChildSetup) => {
  if ("located" in message) setUp(message);
  else send(engine?.answer(message) ?? { id: message.id, failure: { text: failure } });
});

function setUp({ located, memory }: ChildSetup): void {
  try {
    const c = loadLibC();
    // It may be in a function of the library, and hang, when its parent is gone: nobody would be there to end it.
    c.dieWithParent();
    if (!process.connected) process.exit(0);
    c.lineBufferOutput();
    const log = { log: c.symbol("vprintf"), warn: c.symbol("vwarnx") };
    engine = new Engine(new Library(located, c), log, c.map(MEMORY, memory));
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
}

function send(answer: Answer): void {
  process.send?.(answer);
}
