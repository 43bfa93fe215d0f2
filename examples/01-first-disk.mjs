// A RAM disk that any NBD client can use, until Ctrl-C.

import { memory, serve } from "diskwright";

const server = await serve(memory("64M"));
console.log(`Try: nbdinfo '${server.uri}'`);

process.once("SIGINT", () => server.close());
