// The stream to a client: how its bytes come, how it is paused, and how it is handed on to another transport, as TLS will need it.

import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, TLSSocket } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Receiver, Transport } from "../../src/server/transport.ts";
import { turn } from "../contract/fixtures.ts";
import { noise } from "../fixtures/bytes.ts";
import { duplexPair } from "../fixtures/duplex-pair.ts";

/** A receiver that writes down what it is told. */
class Log implements Receiver {
  readonly told: string[] = [];
  bytes: Buffer = Buffer.alloc(0);
  target: Uint8Array | undefined;
  onReceive: (chunk: Buffer) => void = () => undefined;
  receive(chunk: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    this.onReceive(chunk);
  }
  wanted(): Uint8Array | undefined {
    return this.target;
  }
  filled(length: number): void {
    this.told.push(`filled ${length}`);
    this.target = undefined;
  }
  ended(): void {
    this.told.push("ended");
  }
  closed(error: Error | undefined): void {
    this.told.push(`closed${error === undefined ? "" : `: ${error.message}`}`);
  }
  drained(): void {
    this.told.push("drained");
  }
  async until(done: () => boolean): Promise<void> {
    while (!done()) await turn();
  }
}

/** A client's socket and the transport of the server's end of it. */
async function accepted(log: Log): Promise<{ client: Socket; transport: Transport }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const client = createConnection((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Socket];
  const transport = new Transport(socket, log, true);
  onTestFinished(() => {
    client.destroy();
    transport.stream.destroy();
    server.close();
  });
  return { client, transport };
}

function paired(log: Log): { client: Duplex; transport: Transport } {
  const [client, theirs] = duplexPair();
  client.on("error", () => undefined);
  return { client, transport: new Transport(theirs, log, false) };
}

describe.each<[string, (log: Log) => { client: Duplex; transport: Transport } | Promise<{ client: Duplex; transport: Transport }>]>([
  ["a stream of any kind", paired],
  ["an accepted socket", accepted],
])("%s", (_name, make) => {
  it("tells of bytes, of the client's end and of its own", async () => {
    const log = new Log();
    const { client, transport } = await make(log);
    client.end("hello");
    await log.until(() => log.told.includes("ended"));
    expect(log.bytes.toString()).toBe("hello");
    transport.stream.end();
    await log.until(() => log.told.length > 1);
    expect(log.told).toEqual(["ended", "closed"]);
  });

  it("tells of an error when it closes, once", async () => {
    const log = new Log();
    const { transport } = await make(log);
    transport.stream.destroy(new Error("lost"));
    await log.until(() => log.told.length > 0);
    expect(log.told).toEqual(["closed: lost"]);
  });

  it("tells when what was written has been taken", async () => {
    const log = new Log();
    const { client, transport } = await make(log);
    client.pause();
    while (transport.stream.write(Buffer.alloc(1_000_000)));
    client.resume();
    await log.until(() => log.told.includes("drained"));
  });

  it("reads nothing while it is paused, and loses nothing", async () => {
    const log = new Log();
    const { client, transport } = await make(log);
    client.write("before");
    await log.until(() => log.bytes.length === 6);
    transport.pause();
    client.write(" after");
    for (let i = 0; i < 10; i += 1) await turn();
    expect(log.bytes.toString()).toBe("before");
    transport.resume();
    await log.until(() => log.bytes.length > 6);
    expect(log.bytes.toString()).toBe("before after");
  });

  it("may be paused while it receives", async () => {
    const log = new Log();
    const { client, transport } = await make(log);
    log.onReceive = () => transport.pause();
    for (let i = 0; i < 5; i += 1) {
      client.write(`${i}`);
      await log.until(() => log.bytes.length === i + 1);
      transport.resume();
    }
    expect(log.bytes.toString()).toBe("01234");
  });

  it("gives the same bytes whatever their number", async () => {
    const log = new Log();
    const { client } = await make(log);
    const bytes = noise(3_000_000);
    client.end(bytes);
    await log.until(() => log.told.includes("ended"));
    expect(log.bytes.equals(bytes)).toBe(true);
  });
});

describe("an accepted socket", () => {
  it("reads into one buffer again and again, so that what was received does not last", async () => {
    const log = new Log();
    const { client } = await accepted(log);
    const chunks: Buffer[] = [];
    log.onReceive = (chunk) => void chunks.push(chunk);
    for (const text of ["one", "two"]) {
      client.write(text);
      await log.until(() => log.bytes.toString().endsWith(text));
    }
    expect(chunks.map(String)).toEqual(["two", "two"]);
  });

  it("leaves a chunk alone that is kept", async () => {
    const log = new Log();
    const { client, transport } = await accepted(log);
    const chunks: Buffer[] = [];
    log.onReceive = (chunk) => {
      chunks.push(chunk);
      transport.keep();
    };
    for (const text of ["one", "two", "three"]) {
      client.write(text);
      await log.until(() => log.bytes.toString().endsWith(text));
    }
    expect(chunks.map(String)).toEqual(["one", "two", "three"]);
  });

  it("goes on when asked to keep a chunk that it is not giving just then", async () => {
    const log = new Log();
    const { client, transport } = await accepted(log);
    client.write("one");
    await log.until(() => log.bytes.length === 3);
    transport.keep();
    client.write("two");
    await log.until(() => log.bytes.length === 6);
    expect(log.bytes.toString()).toBe("onetwo");
  });

  it("reads straight to where bytes are wanted", async () => {
    const log = new Log();
    const { client } = await accepted(log);
    const target = new Uint8Array(100_000);
    log.onReceive = () => {
      log.target = target;
    };
    client.write("?");
    await log.until(() => log.bytes.length === 1);
    const bytes = noise(60_000);
    client.write(bytes);
    await log.until(() => log.told.length > 0);
    const filled = Number(log.told[0]?.replace("filled ", ""));
    await log.until(() => filled + log.bytes.length - 1 === bytes.length);
    expect(Buffer.concat([target.subarray(0, filled), log.bytes.subarray(1)]).equals(bytes)).toBe(true);
  });

  it("takes a client that says nothing little memory: its buffer grows with use", async () => {
    const log = new Log();
    const { client } = await accepted(log);
    const sizes: number[] = [];
    log.onReceive = (chunk) => void sizes.push(chunk.buffer.byteLength);
    client.write("x");
    await log.until(() => sizes.length > 0);
    expect(sizes).toEqual([16 * 1024]);
    client.end(noise(4_000_000));
    await log.until(() => log.told.includes("ended"));
    expect(Math.max(...sizes)).toBe(256 * 1024);
  });
});

describe("detach", () => {
  it("has nothing more told, and the next transport gets what comes then", async () => {
    const first = new Log();
    const second = new Log();
    const { client, transport } = paired(first);
    client.write("before ");
    await first.until(() => first.bytes.length === 7);
    const stream = transport.detach();
    client.write("after");
    for (let i = 0; i < 5; i += 1) await turn();
    new Transport(stream, second, false);
    client.end();
    await second.until(() => second.told.includes("ended"));
    stream.destroy();
    await second.until(() => second.told.includes("closed"));
    expect([first.bytes.toString(), second.bytes.toString()]).toEqual(["before ", "after"]);
    expect(first.told).toEqual([]);
  });

  it("lets TLS begin on an accepted socket, from within what was received last", async () => {
    const plain = new Log();
    const secret = new Log();
    const { client, transport } = await accepted(plain);
    const psk = { ciphers: "PSK-AES128-GCM-SHA256", maxVersion: "TLSv1.2" } as const;
    const key = Buffer.alloc(16, 7);
    plain.onReceive = () => {
      const stream = transport.detach();
      stream.write("go ahead");
      new Transport(new TLSSocket(stream, { isServer: true, ...psk, pskCallback: () => key } as never), secret, false);
    };
    client.write("please");
    const [answer] = (await once(client, "data")) as [Buffer];
    expect(answer.toString()).toBe("go ahead");
    const upgraded = connectTls({
      socket: client,
      ...psk,
      pskCallback: () => ({ psk: key, identity: "me" }),
      checkServerIdentity: () => undefined,
    });
    await once(upgraded, "secureConnect");
    upgraded.write("in secret");
    await secret.until(() => secret.bytes.length === 9);
    expect(secret.bytes.toString()).toBe("in secret");
    expect(plain.bytes.toString()).toBe("please");
    upgraded.end();
    await secret.until(() => secret.told.includes("ended"));
    expect(plain.told).toEqual([]);
  });
});
