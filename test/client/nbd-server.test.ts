// The client against the reference implementation's nbd-server, which has several exports and neither block status nor block sizes.

import { join } from "node:path";
import { expect, it } from "vitest";
import { connect, listContexts, listExports } from "../../src/client/index.ts";
import { noise, writeSparse } from "../fixtures/bytes.ts";
import { describeWith } from "../fixtures/tools.ts";
import { tree } from "../fixtures/tree.ts";
import { nbdServer } from "./nbd-server.ts";

describeWith(["nbd-server"], "nbd-server", () => {
  it("lists its exports and serves them by name", async () => {
    const folder = tree();
    const content = noise(1 << 20);
    writeSparse(join(folder, "one"), content);
    writeSparse(join(folder, "two"), Buffer.alloc(4096));
    const { uri } = await nbdServer({
      one: { exportname: join(folder, "one"), flush: true, fua: true },
      two: { exportname: join(folder, "two"), readonly: true },
    });
    expect((await listExports(uri())).map(({ name }) => name).toSorted()).toEqual(["one", "two"]);
    expect(await listContexts(uri("one"))).toEqual([]);

    await using one = await connect(uri("one"), { connections: 4 });
    expect(one).toMatchObject({
      size: 1n << 20n,
      exportName: "one",
      capabilities: { write: true, flush: true, fua: "native", extents: false },
    });
    const target = Buffer.alloc(1 << 20);
    await one.read(target, 0n);
    expect(target.equals(content)).toBe(true);
    await one.write(Buffer.from("changed"), 100n);
    await one.flush();
    await one.read(target.subarray(0, 7), 100n);
    expect(target.toString("latin1", 0, 7)).toBe("changed");

    await using two = await connect(uri("two"));
    expect(two.capabilities.write).toBe(false);
    await expect(connect(uri("three"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
