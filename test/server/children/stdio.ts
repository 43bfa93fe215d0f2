// Serves 16 bytes on standard input and output, and says so when the client has left.

import { serve } from "../../../src/server/index.ts";
import { ram } from "../../fixtures/ram.ts";

async function main(): Promise<void> {
  const server = await serve(ram(Buffer.from("sixteen letters!")), { stdio: true });
  await server.closed;
  process.stderr.write(`closed, ${server.connections} connections, ${String(server.uri)}`);
}

void main();
