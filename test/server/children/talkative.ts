// A server, a client that reads and writes and fails, and nothing that prints but NODE_DEBUG.

import { DiskError } from "../../../src/contract/index.ts";
import { serve } from "../../../src/server/index.ts";
import { clientFlags, infoQuery, option, request } from "../../fixtures/client-bytes.ts";
import { duplexPair } from "../../fixtures/duplex-pair.ts";
import { ram } from "../../fixtures/ram.ts";

async function main(): Promise<void> {
  const disk = ram(4096, {
    trim() {
      throw new DiskError("EIO", "worn out");
    },
    flush() {
      throw new Error("lost the key");
    },
  });
  const server = await serve({ disk }, { listen: false });
  const [ours, theirs] = duplexPair();
  const left = server.accept(theirs);
  ours.resume();
  ours.write(Buffer.concat([clientFlags(), option(7, infoQuery("disk"))]));
  const requests = [{ type: 0, offset: 512n, length: 1024n }, { type: 4, length: 512n }, { type: 3, flags: 1 }, { type: 2 }];
  ours.end(Buffer.concat(requests.map(request)));
  await left;
  await server.close();
}

void main();
