// Servers that break the protocol, go away or say nothing: a clear error each time, at once for every request under way, and no stale data.

import { once } from "node:events";
import { createServer } from "node:net";
import { duplexPair } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { connect, connectStream, listContexts, listExports } from "../../src/client/index.ts";
import type { Disk } from "../../src/contract/disk.ts";
import { FakeClient, type FakeExport, fakeServer } from "./fake-server.ts";
import * as wire from "./wire.ts";

const failure = (code: string, text: string): unknown => expect.objectContaining({ code, message: expect.stringContaining(text) });

/** Connects to a server that plays `script` after a good negotiation. */
async function opened(fake: FakeExport, script: (client: FakeClient) => Promise<unknown>, options = {}): Promise<Disk> {
  const { uri } = await fakeServer(async (client) => {
    await client.negotiate(fake);
    await script(client);
    await client.gone();
  });
  return connect(uri, options);
}

describe("a server that hangs up", () => {
  it("at any byte of the negotiation is told of with what was missing", async () => {
    const negotiation = wire.join(
      wire.greeting(),
      wire.optionReply(wire.STRUCTURED_REPLY, wire.ACK),
      wire.contextReply(wire.SET_META_CONTEXT, 1, "base:allocation"),
      wire.optionReply(wire.SET_META_CONTEXT, wire.ACK),
      wire.exportInfo(1024n, wire.HAS_FLAGS),
      wire.optionReply(wire.GO, wire.ACK),
    );
    for (let length = 0; length < negotiation.length; length += 1) {
      const [ours, theirs] = duplexPair();
      theirs.on("error", () => undefined).resume();
      theirs.end(negotiation.subarray(0, length));
      const error = failure("ECONNRESET", "the server closed the connection instead of sending the");
      await expect(connectStream(ours, { replies: "structured" }), `${length} bytes`).rejects.toEqual(error);
      expect(ours.destroyed).toBe(true);
    }
    const [ours, theirs] = duplexPair();
    theirs.resume();
    theirs.write(negotiation);
    const disk = await connectStream(ours, { replies: "structured" });
    expect(disk.size).toBe(1024n);
    theirs.end();
    await disk.close();
  });

  it("at any byte of a reply fails every request under way, once", async () => {
    const reply = wire.join(
      wire.chunk(1n, wire.MORE, wire.DATA, wire.dataPayload(0n, "12345678")),
      wire.chunk(1n, wire.DONE, wire.HOLE, wire.holePayload(8n, 8)),
    );
    for (let length = 0; length < reply.length; length += 1) {
      const [ours, theirs] = duplexPair();
      const server = new FakeClient(theirs);
      const playing = (async () => {
        await server.negotiate();
        const [first] = await server.requests(3);
        const bytes = Buffer.from(reply);
        for (const at of [0, reply.length - 32]) bytes.writeBigUInt64BE(first?.cookie ?? 0n, at + 8);
        theirs.end(bytes.subarray(0, length));
      })();
      const disk = await connectStream(ours);
      const outcomes = await Promise.allSettled([
        disk.read(new Uint8Array(16), 0n),
        disk.read(new Uint8Array(1), 5n),
        disk.extents(0n, 9n),
      ]);
      expect(outcomes, `${length} bytes`).toEqual([
        { status: "rejected", reason: failure("ECONNRESET", "cannot read 16 bytes at 0: the server closed the connection") },
        { status: "rejected", reason: failure("ECONNRESET", "cannot read 1 bytes at 5: the server closed the connection") },
        { status: "rejected", reason: failure("ECONNRESET", "cannot list the extents of 9 bytes at 0: the server closed the connection") },
      ]);
      await playing;
      await disk.close();
    }
  });

  it("while nothing is under way fails the next request", async () => {
    const [ours, theirs] = duplexPair();
    const server = new FakeClient(theirs);
    const negotiated = server.negotiate();
    const disk = await connectStream(ours);
    await negotiated;
    theirs.destroy();
    ours.destroy();
    await once(ours, "close");
    await expect(disk.read(new Uint8Array(1), 0n)).rejects.toEqual(
      failure("ECONNRESET", "cannot read 1 bytes at 0: the server closed the connection"),
    );
    await disk.close();
  });

  it("fails a list", async () => {
    const { uri } = await fakeServer(async (client) => {
      await client.greet();
      await client.option();
      client.send(wire.serverReply("one"));
      client.stream.end();
    });
    await expect(listExports(uri)).rejects.toEqual(
      failure("ECONNRESET", "instead of sending the answer to the request to list its exports"),
    );
    await expect(listContexts(uri)).rejects.toEqual(failure("EPROTO", "a reply to option 3, where option 8 was sent"));
  });
});

describe("a server that says nothing", () => {
  it("is given up when the time for connecting is over", async () => {
    const { uri } = await fakeServer((client) => client.gone());
    await expect(connect(uri, { timeout: 50 })).rejects.toEqual(
      failure("ETIMEDOUT", "the server did not connect and greet within 50 ms: is it an NBD server?"),
    );
    await expect(listExports(uri, { timeout: 50 })).rejects.toEqual(failure("ETIMEDOUT", uri));
  });

  it("is given up also in the middle, and when it sends a byte now and then", async () => {
    const { uri } = await fakeServer(async (client) => {
      await client.greet();
      const endless = setInterval(() => client.send(Uint8Array.of(0)), 20);
      onTestFinished(() => clearInterval(endless));
      await client.gone();
      clearInterval(endless);
    });
    await expect(connect(uri, { timeout: 100 })).rejects.toEqual(
      failure("ETIMEDOUT", "the server did not send the answer to the request to use extended headers"),
    );
  });

  it("is given up when a request has waited too long, and with it whatever else is under way", async () => {
    const disk = await opened(
      {},
      async (client) => {
        client.data(await client.request(), 1);
        // Half a reply is no reply.
        const second = await client.request();
        client.send(wire.chunk(second.cookie, wire.DONE, wire.DATA, wire.dataPayload(0n, Buffer.alloc(100))).subarray(0, 50));
      },
      { requestTimeout: 60 },
    );
    await disk.read(new Uint8Array(1), 0n);
    const outcomes = await Promise.allSettled([disk.read(new Uint8Array(100), 0n), disk.read(new Uint8Array(7), 8n)]);
    expect(outcomes).toEqual([
      { status: "rejected", reason: failure("ETIMEDOUT", "the server did not answer the request to read 100 bytes at 0 within 60 ms") },
      {
        status: "rejected",
        reason: failure("ETIMEDOUT", "cannot read 7 bytes at 8: the server did not answer the request to read 100 bytes"),
      },
    ]);
    await expect(disk.read(new Uint8Array(1), 0n)).rejects.toEqual(failure("ETIMEDOUT", "cannot read 1 bytes at 0"));
    await disk.close();
  });

  it("when it should hang up after the client has taken leave does not keep the client", async () => {
    const disk = await opened({}, () => new Promise(() => undefined));
    await disk.close();
  });
});

describe("a signal", () => {
  it("ends connecting", async () => {
    const { uri } = await fakeServer((client) => client.gone());
    const controller = new AbortController();
    const connecting = connect(uri, { signal: controller.signal });
    controller.abort(new Error("no longer wanted"));
    await expect(connecting).rejects.toThrow("no longer wanted");
    await expect(connect(uri, { signal: controller.signal })).rejects.toThrow("no longer wanted");
    await expect(listExports(uri, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
  });

  it("ends a disk with all that is under way", async () => {
    const controller = new AbortController();
    const disk = await opened({}, (client) => client.requests(2), { signal: controller.signal });
    const reading = Promise.allSettled([disk.read(new Uint8Array(1), 0n), disk.read(new Uint8Array(1), 0n)]);
    const reason = new Error("the job was cancelled");
    controller.abort(reason);
    expect(await reading).toEqual([
      { status: "rejected", reason },
      { status: "rejected", reason },
    ]);
    await expect(disk.read(new Uint8Array(1), 0n)).rejects.toBe(reason);
    await disk.close();
  });

  it("has nothing to do with a disk that is closed", async () => {
    const controller = new AbortController();
    const disk = await opened({}, (client) => client.serve(), { signal: controller.signal });
    await disk.close();
    controller.abort();
    await disk.close();
  });
});

describe("a server that breaks the protocol", () => {
  it.each<[string, FakeExport, (client: FakeClient) => Promise<unknown>, string]>([
    [
      "answers with another cookie",
      {},
      async (client) => client.done({ ...(await client.request()), cookie: 0xdeadn }),
      "cookie 0x000000000000dead",
    ],
    [
      "answers a read that it was not asked",
      {},
      async (client) => (await client.requests(2)) && client.send(wire.simpleReply(0n)),
      "cookie 0x0000000000000000",
    ],
    [
      "sends rubbish",
      {},
      async (client) => (await client.requests(2)) && client.send(Buffer.alloc(1000, "rubbish")),
      "0x72756262 where a reply should begin",
    ],
    [
      "sends bytes outside the request",
      {},
      async (client) => client.data({ ...(await client.request()), offset: 100n }, 1),
      "outside what was asked for",
    ],
    ["sends too little", {}, async (client) => client.done(await client.request()), "ends and 100 of the bytes have not come"],
    [
      "answers a read with a simple reply",
      {},
      async (client) => client.send(wire.simpleReply((await client.request()).cookie, 0, Buffer.alloc(100))),
      "a simple reply",
    ],
    [
      "sends structured replies that were not agreed on",
      { replies: "simple" },
      async (client) => client.data(await client.request(), 1),
      "where a reply should begin",
    ],
  ])("%s: everything under way fails, and the connection is closed", async (_, fake, script, text) => {
    let gone: Promise<Buffer> | undefined;
    const { uri } = await fakeServer(async (client) => {
      await client.negotiate(fake);
      gone = client.gone();
      await script(client);
    });
    const disk = await connect(uri);
    const target = new Uint8Array(100).fill(0xee);
    const outcomes = await Promise.allSettled([disk.read(target, 0n), disk.read(new Uint8Array(1), 5n)]);
    expect(outcomes).toEqual([
      { status: "rejected", reason: failure("EPROTO", `cannot read 100 bytes at 0: the server broke the NBD protocol: `) },
      { status: "rejected", reason: failure("EPROTO", text) },
    ]);
    await gone;
    await expect(disk.read(target, 0n)).rejects.toEqual(failure("EPROTO", text));
    await disk.close();
  });

  it("sends something before it is asked", async () => {
    const { uri } = await fakeServer(async (client) => {
      await client.greet();
      await client.option();
      client.send(wire.exportInfo(1n, 1), wire.optionReply(wire.GO, wire.ACK), Buffer.from("surprise"));
      await client.gone();
    });
    await expect(connect(uri, { replies: "simple" })).rejects.toEqual(
      failure("EPROTO", "the server sent 8 bytes before it was asked for anything"),
    );
  });

  it("has its text shown when it refuses, and hears ABORT from a client that leaves", async () => {
    const { uri, played } = await fakeServer(async (client) => {
      await client.greet();
      await client.option();
      client.send(wire.optionReply(wire.GO, wire.UNKNOWN, "try another one"));
      expect((await client.option()).option).toBe(wire.ABORT);
      await client.gone();
      client.stream.end();
    });
    await expect(connect(uri, { replies: "simple" })).rejects.toEqual(
      failure("ENOENT", `${uri}: the server refuses to use export "": it has no such export (it says: try another one)`),
    );
    await played();
  });

  it("is no NBD server", async () => {
    const { uri } = await fakeServer(async (client) => {
      client.send(Buffer.from("220 mail.example.com ESMTP"));
      await client.gone();
    });
    await expect(connect(uri)).rejects.toEqual(failure("EPROTO", 'this is no NBD server: its greeting begins with "220 mail"'));
  });

  it("sends random bytes at any point, and nothing but errors comes of it", async () => {
    let seed = 7;
    const random = (): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return seed >>> 16;
    };
    for (let round = 0; round < 200; round += 1) {
      const [ours, theirs] = duplexPair();
      const server = new FakeClient(theirs);
      const extended = round % 2 === 0;
      const playing = (async () => {
        await server.negotiate({ replies: extended ? "extended" : "structured" });
        const request = await server.request();
        const { offset, cookie } = request;
        const data = wire.dataPayload(offset, Buffer.alloc(64, 1));
        const bytes = extended ? wire.extendedChunk(cookie, offset, 1, wire.DATA, data) : wire.chunk(cookie, 1, wire.DATA, data);
        // One header byte is wrong: the data itself may be anything.
        const header = bytes.length - 64;
        const at = random() % header;
        bytes[at] = (bytes[at] as number) ^ (1 + (random() % 255));
        theirs.end(bytes);
      })();
      const disk = await connectStream(ours);
      const target = new Uint8Array(64);
      const outcome = await Promise.allSettled([disk.read(target, 4096n)]);
      // Some flags mean nothing, and do no harm.
      if (outcome[0]?.status === "fulfilled") expect(target).toEqual(new Uint8Array(64).fill(1));
      else expect(outcome[0]?.reason).toMatchObject({ name: "DiskError" });
      await playing;
      await disk.close();
    }
  });
});

describe("a server that shuts down", () => {
  it("is left as soon as the requests under way have been answered", async () => {
    const { uri, played } = await fakeServer(async (client) => {
      await client.negotiate();
      const [first, second] = await client.requests(2);
      if (first === undefined || second === undefined) throw new Error("unreachable");
      client.chunk(first, wire.DONE, wire.ERROR, wire.errorPayload(108, "maintenance"));
      client.data(second, 5);
      expect((await client.request()).command).toBe(wire.DISC);
      client.stream.end();
    });
    const disk = await connect(uri);
    const target = new Uint8Array(1);
    const outcomes = await Promise.allSettled([disk.read(new Uint8Array(1), 0n), disk.read(target, 1n)]);
    expect(outcomes).toEqual([
      { status: "rejected", reason: failure("ESHUTDOWN", "the server answers ESHUTDOWN: maintenance") },
      { status: "fulfilled", value: undefined },
    ]);
    expect(target[0]).toBe(5);
    await expect(disk.read(target, 0n)).rejects.toEqual(failure("ESHUTDOWN", "cannot read 1 bytes at 0: the server is shutting down"));
    await played();
    await disk.close();
  });
});

describe("a place where there is no server", () => {
  it("is told of in the words of the system, with the URI", async () => {
    const nowhere = "nbd+unix:///x?socket=/nonexistent/socket";
    await expect(connect(nowhere)).rejects.toEqual(failure("ENOENT", `${nowhere}: cannot connect: connect ENOENT`));
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, "close");
    await expect(connect(`nbd://127.0.0.1:${port}`)).rejects.toEqual(failure("ECONNREFUSED", "cannot connect: connect ECONNREFUSED"));
    await expect(connect(`nbd://localhost:${port}`)).rejects.toEqual(failure("ECONNREFUSED", "cannot connect: connect ECONNREFUSED"));
  });

  it("is refused where the path of the socket is longer than there can be", async () => {
    await expect(connect(`nbd+unix:///?socket=/${"x".repeat(120)}`)).rejects.toEqual(failure("ENAMETOOLONG", "has at most"));
  });

  it("is refused where the stream is closed", async () => {
    const [ours] = duplexPair();
    ours.destroy();
    await expect(connectStream(ours)).rejects.toEqual(failure("EINVAL", "cannot be used"));
  });
});

describe("options", () => {
  it.each<[object, string]>([
    [{ connections: 0 }, "option connections: 0 is not a whole number from 1 to 64"],
    [{ connections: 1.5 }, "connections"],
    [{ timeout: 0 }, "option timeout: 0 is not milliseconds above 0"],
    [{ requestTimeout: Number.NaN }, "option requestTimeout: NaN"],
    [{ replies: "fancy" }, 'option replies: "fancy" is not "simple", "structured" or "extended"'],
    [{ contexts: ["dirty"] }, 'option contexts: "dirty" is not namespace:name'],
  ])("%j are refused before anything is done", async (options, text) => {
    await expect(connect("nbd+unix:///?socket=/nonexistent", options)).rejects.toEqual(failure("EINVAL", text));
  });
});
