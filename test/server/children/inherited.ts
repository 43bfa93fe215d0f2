// Serves on the socket that it inherited as file descriptor 3, until its standard input ends.

import { serve } from "../../../src/server/index.ts";
import { ram } from "../../fixtures/ram.ts";

async function main(): Promise<void> {
  const server = await serve(ram(4096), { fd: 3 });
  process.stdout.write(`${JSON.stringify({ uri: server.uri ?? null, address: server.address ?? null })}\n`);
  process.stdin.resume().once("end", () => void server.close());
  await server.closed;
}

void main();
