// Serves on a private unix socket until its standard input ends; says where, and what goes wrong meanwhile.

import { subscribe } from "node:diagnostics_channel";
import { type ErrorEvent, serve } from "../../../src/server/index.ts";
import { ram } from "../../fixtures/ram.ts";

async function main(): Promise<void> {
  let told = false;
  subscribe("diskwright:server.error", (event) => {
    if (!told) process.stdout.write(`error ${(event as ErrorEvent).during}\n`);
    told = true;
  });
  const server = await serve(ram(4096));
  process.stdout.write(`at ${(server.address as { path: string }).path}\n`);
  process.stdin.resume().once("end", () => void server.close());
  await server.closed;
}

void main();
