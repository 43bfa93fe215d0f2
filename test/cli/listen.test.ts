// Where `diskwright serve` listens, and which limits its options set.

import { resolve } from "node:path";
import { expect, it } from "vitest";
import { type Arguments, readArguments } from "../../src/cli/arguments.ts";
import { whereToListen } from "../../src/cli/listen.ts";
import { type ServeOption, serveOptions } from "../../src/cli/serve-options.ts";
import { limitsOf } from "../../src/cli/serve-settings.ts";

const read = (line: string): Arguments<ServeOption> => readArguments(line.split(" "), serveOptions);

it.each([
  ["memory", { port: 10809 }],
  ["-4 memory", { port: 10809, host: "127.0.0.1" }],
  ["-6 memory", { port: 10809, host: "::1" }],
  ["-p 0 memory", { port: 0 }],
  ["-i :: memory", { port: 10809, host: "::" }],
  ["-i 0.0.0.0 -p 7 memory", { port: 7, host: "0.0.0.0" }],
  ["-4 -i 10.0.0.1 memory", { port: 10809, host: "10.0.0.1" }],
  ["-U - memory", { unix: true }],
  ["-U socket memory", { unix: resolve("socket") }],
  ["-U - -i 127.0.0.1 memory", { unix: true }],
  ["memory --run true", { unix: true }],
  ["-p 7 memory --run true", { port: 7 }],
  ["-i 127.0.0.1 memory --run true", { port: 10809, host: "127.0.0.1" }],
  ["-4 memory --run true", { port: 10809, host: "127.0.0.1" }],
  ["-s memory", { stdio: true }],
])("%s listens on %j", async (line, where) => {
  expect(await whereToListen(read(line), [])).toEqual(where);
});

it("listens on the first socket that was passed", async () => {
  expect(await whereToListen(read("memory"), [3, 4])).toEqual({ fd: 3 });
});

it.each([
  ["memory", {}],
  ["-t 4 memory", { requestsInFlight: 4 }],
  ["-t 0 memory", {}],
  ["--timeout=2 memory", { handshakeTimeout: 2000 }],
  ["--timeout=500us memory", { handshakeTimeout: 1 }],
  ["--timeout=0 memory", { handshakeTimeout: Infinity }],
])("%s sets the limits %o", (line, limits) => {
  expect(limitsOf(read(line))).toEqual(limits);
});
