// The server under measurement, in a process of its own: `node bench/serve.mjs SOCKET SIZE` serves a memory disk with the built package.

import { memory, serve } from "../dist/index.js";

const [unix, size] = process.argv.slice(2);
const server = await serve(memory(size), { unix, limits: { connections: 2048 } });
process.on("SIGTERM", () => server.close());
