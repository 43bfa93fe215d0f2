// The rules of the contract, for the plugin as it is built.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { torrent } from "@diskwright/torrent";
import { testPlugin } from "diskwright/testing";
import { test } from "vitest";
import { noise } from "../../../test/fixtures/bytes.ts";
import { tree } from "../../../test/fixtures/tree.ts";
import { makeTorrent } from "./fixtures/make-torrent.ts";
import { onLoopback } from "./fixtures/opened.ts";
import { startPeer } from "./fixtures/peer.ts";

const content = noise(500_003);
const made = makeTorrent({ content });
const expected = { write: false, extents: false, cache: "native", multiConn: true } as const;

testPlugin({
  test,
  name: "from a peer",
  routes: ["directly"],
  factory: async () => torrent(made.bytes, { ...onLoopback, peers: [(await startPeer(made)).address], readAhead: 0 }),
  content,
  expect: expected,
});

testPlugin({
  test,
  name: "from the cache folder",
  factory() {
    const cacheDir = tree();
    writeFileSync(join(cacheDir, "disk.img"), content);
    return torrent(made.bytes, { ...onLoopback, cacheDir });
  },
  content,
  expect: expected,
});
