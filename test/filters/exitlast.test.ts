// The exitlast filter.

import { createConnection } from "node:net";
import { describe, expect, it, test } from "vitest";
import { connect, exitLast, listExports, memory, pipe } from "../../src/index.ts";
import { testFilter } from "../../src/testing/index.ts";
import { served } from "../fixtures/served.ts";
import { command } from "../fixtures/side-by-side.ts";
import { describeWith } from "../fixtures/tools.ts";

describe("exitlast", () => {
  testFilter({ test, routes: ["directly", "through a filter"], filter: () => exitLast(), transparent: true });

  it("closes the server when the last client has gone", async () => {
    const { server, uri } = await served("unix", pipe(memory(512), exitLast()));
    const [one, two] = [await connect(uri), await connect(uri)];
    await one.close();
    await two.read(new Uint8Array(1), 0n);
    await two.close();
    await server.closed;
  });

  it("does not close it before there was one, nor for who only looks at the list", async () => {
    const { server, uri } = await served("unix", pipe(memory(512), exitLast()));
    await listExports(uri);
    await listExports(uri);
    let closed = false;
    void server.closed.then(() => (closed = true));
    await (await connect(uri)).close();
    await server.closed;
    expect(closed).toBe(true);
  });

  it("does not close it while a client turns from one export to another", async () => {
    const { server, uri } = await served("unix", pipe(memory(512), exitLast()));
    const socket = createConnection(new URL(uri).searchParams.get("socket") as string);
    const option = (number: number, name: string): Buffer => {
      const data = Buffer.concat([Buffer.from([0, 0, 0, name.length]), Buffer.from(name), Buffer.from([0, 0])]);
      return Buffer.concat([Buffer.from("IHAVEOPT"), Buffer.from([0, 0, 0, number, 0, 0, 0, data.length]), data]);
    };
    // INFO about one export, and then GO to another; then a read.
    const request = Buffer.concat([Buffer.from("25609513", "hex"), Buffer.alloc(20), Buffer.from([0, 0, 0, 1])]);
    socket.write(Buffer.concat([Buffer.from([0, 0, 0, 3]), option(6, "a"), option(7, "b"), request]));
    let heard = Buffer.alloc(0);
    await new Promise<void>((resolve) =>
      socket.on("data", (chunk) => {
        heard = Buffer.concat([heard, chunk]);
        if (heard.includes(Buffer.from("67446698", "hex"))) resolve();
      }),
    );
    socket.destroy();
    await server.closed;
  });
});

describeWith(["nbdkit", "nbdinfo"], "exitlast, side by side with nbdkit", () => {
  it("the server is gone after the only client", async () => {
    for (const who of ["nbdkit", "diskwright"] as const) {
      const line =
        'nbdinfo --size "$uri" >/dev/null && for i in $(seq 200); do nbdinfo --size "$uri" >/dev/null 2>&1 || exit 0; sleep 0.02; done; exit 7';
      const { code, stderr } = await command(who, ["-U", "-", "--filter=exitlast", "memory", "1M", "--run", line]);
      expect(code, `${who}: ${stderr}`).toBe(0);
    }
  });
});
