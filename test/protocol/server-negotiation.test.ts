// The handshake as a state machine: bytes in, bytes out, no socket. What it says is tested with whole servers; here it is how it takes its bytes.

import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/protocol/options.ts";
import { type Agreement, type NegotiableExport, type NegotiationHost, ServerNegotiation } from "../../src/protocol/server-negotiation.ts";
import * as wire from "../client/wire.ts";
import { clientFlags, infoQuery, metaQuery, option } from "../fixtures/client-bytes.ts";
import { bytewise, randomPieces } from "../fixtures/pieces.ts";
import { sessions } from "../fixtures/sessions.ts";

/** An export that does nothing but say what it is. */
const thing: NegotiableExport = {
  size: 4096n,
  flags: (mode, contexts) => wire.HAS_FLAGS | (mode === "simple" ? 0 : wire.SEND_DF) | (contexts > 0 ? wire.BLOCK_STATUS_PAYLOAD : 0),
  canonicalName: "thing",
  description: "a thing",
  blockSize: [1, 4096, 65_536],
  contexts: ["x-test:one"],
};

/** A host that writes down what happens. */
class Host implements NegotiationHost<NegotiableExport> {
  closing = false;
  readonly sent: Buffer[] = [];
  readonly opened: string[] = [];
  readonly ended: (string | undefined)[] = [];
  agreed: Agreement<NegotiableExport> | undefined;
  /** Waits for the machine to be ready again. */
  #ready: () => void = () => undefined;

  send(bytes: Uint8Array): void {
    this.sent.push(Buffer.from(bytes));
  }
  async list() {
    return [{ name: "thing" }];
  }
  async open(name: string): Promise<NegotiableExport> {
    this.opened.push(name);
    if (name === "missing") throw new OptionError(wire.UNKNOWN, "there is no such thing");
    if (name === "broken") throw new Error("secret");
    return thing;
  }
  ready(): void {
    this.#ready();
  }
  transmit(agreed: Agreement<NegotiableExport>): void {
    this.agreed = agreed;
  }
  end(reason: string | undefined): void {
    this.ended.push(reason);
  }
  get output(): Buffer {
    return Buffer.concat(this.sent);
  }
  nextReady(): Promise<void> {
    return new Promise((resolve) => {
      this.#ready = resolve;
    });
  }
}

const LIMITS = { options: 64, optionSize: 65_536 };

function begun(limits = LIMITS): { host: Host; machine: ServerNegotiation<NegotiableExport> } {
  const host = new Host();
  return { host, machine: new ServerNegotiation(host, limits) };
}

/** Feeds pieces as they are taken, waiting whenever the machine is busy; gives what was not taken in the end. */
async function feed(host: Host, machine: ServerNegotiation<NegotiableExport>, pieces: readonly Buffer[]): Promise<Buffer> {
  for (const [index, piece] of pieces.entries()) {
    let rest = piece;
    for (;;) {
      const ready = host.nextReady();
      rest = rest.subarray(machine.consume(rest));
      if (!machine.busy) break;
      await ready;
    }
    if (rest.length > 0) return Buffer.concat([rest, ...pieces.slice(index + 1)]);
  }
  return Buffer.alloc(0);
}

const start = (...more: Buffer[]): Buffer => Buffer.concat([clientFlags(), ...more]);

describe("the bytes of a handshake", () => {
  // What follows the handshake is not taken, so that it need not be whole.
  const cases = sessions().map(({ name, messages }) => [name, Buffer.concat(messages).subarray(0, 20_000)] as const);

  it.each(cases)("give the same answers in whatever pieces they come: %s", async (_name, bytes) => {
    const whole = begun();
    const left = await feed(whole.host, whole.machine, [bytes]);
    for (const pieces of [bytewise(bytes), randomPieces(bytes, 1), randomPieces(bytes, 2)]) {
      const { host, machine } = begun();
      expect(await feed(host, machine, pieces)).toEqual(left);
      expect(host.output.equals(whole.host.output)).toBe(true);
      expect([host.ended, host.opened]).toEqual([whole.host.ended, whole.host.opened]);
    }
  });

  it("are not taken while an answer is being worked on", async () => {
    const { host, machine } = begun();
    const bytes = start(option(wire.LIST), option(99));
    const ready = host.nextReady();
    const taken = machine.consume(bytes);
    expect(taken).toBe(4 + 16);
    expect(machine.busy).toBe(true);
    expect(machine.consume(bytes.subarray(taken))).toBe(0);
    await ready;
    expect(machine.busy).toBe(false);
    expect(machine.consume(bytes.subarray(taken))).toBe(16);
  });

  it("are not taken after GO: what follows it is a request", async () => {
    const { host, machine } = begun();
    const left = await feed(host, machine, [start(option(wire.GO, infoQuery("thing")), Buffer.from("a request"))]);
    expect(left.toString()).toBe("a request");
    expect(host.agreed).toMatchObject({ export: thing, mode: "simple", contexts: [] });
  });

  it.each([
    ["ABORT", start(option(wire.ABORT))],
    ["an unknown flag", clientFlags(0x80)],
    ["a wrong magic", start(Buffer.alloc(16))],
  ])("are not taken after the end: %s", async (_name, bytes) => {
    const { host, machine } = begun();
    await feed(host, machine, [bytes]);
    expect(host.ended).toHaveLength(1);
    expect(machine.consume(Buffer.from("more"))).toBe(0);
    expect(host.ended).toHaveLength(1);
  });
});

describe("the end of a handshake", () => {
  it.each([
    [clientFlags(0x80), "unknown client flags 0x80"],
    [start(Buffer.alloc(16)), "an option without its magic: the client does not speak newstyle NBD"],
    [start(option(wire.EXPORT_NAME, "missing")), "there is no such thing"],
    [start(option(wire.EXPORT_NAME, "broken")), "the option could not be carried out"],
    [start(option(wire.EXPORT_NAME, "a\0b")), "the export name contains a NUL"],
    [start(option(wire.EXPORT_NAME, "", 70_000)), "an export name that is too long"],
    [start(option(wire.LIST, "", 2 ** 31)), "an option of 2147483648 bytes"],
    [start(...Array.from({ length: 65 }, () => option(99))), "more than 64 options"],
    [start(option(wire.EXTENDED_HEADERS), option(wire.EXPORT_NAME, "thing")), "EXPORT_NAME cannot be used with extended headers"],
  ])("has its reason", async (bytes, reason) => {
    const { host, machine } = begun();
    await feed(host, machine, [bytes]);
    expect(host.ended).toEqual([reason]);
  });

  it("has none when the client wished it", async () => {
    const { host, machine } = begun();
    await feed(host, machine, [start(option(wire.ABORT))]);
    expect(host.ended).toEqual([undefined]);
  });
});

describe("forget", () => {
  it("wipes what was negotiated, as a change to TLS demands: a client may begin anew", async () => {
    const { host, machine } = begun();
    await feed(host, machine, [start(option(wire.EXTENDED_HEADERS), option(wire.SET_META_CONTEXT, metaQuery("thing", "base:allocation")))]);
    machine.forget();
    host.sent.length = 0;
    await feed(host, machine, [option(wire.SET_META_CONTEXT, metaQuery("thing", "base:allocation")), option(wire.STRUCTURED_REPLY)]);
    expect(host.sent[0]?.readUInt32BE(12)).toBe(wire.ERR(3));
    expect(host.sent[1]).toEqual(wire.optionReply(wire.STRUCTURED_REPLY, wire.ACK));
    await feed(host, machine, [option(wire.GO, infoQuery("thing"))]);
    expect(host.agreed).toMatchObject({ mode: "structured", contexts: [] });
  });

  it("leaves simple replies when nothing is negotiated again", async () => {
    const { host, machine } = begun();
    await feed(host, machine, [start(option(wire.STRUCTURED_REPLY), option(wire.SET_META_CONTEXT, metaQuery("thing", "x-test:one")))]);
    machine.forget();
    await feed(host, machine, [option(wire.GO, infoQuery("thing"))]);
    expect(host.agreed).toMatchObject({ mode: "simple", contexts: [] });
  });
});

describe("a server that is closing", () => {
  const SHUTDOWN_TEXT = "the server is shutting down";

  it.each([wire.LIST, wire.STRUCTURED_REPLY, wire.EXTENDED_HEADERS, wire.GO, 6, wire.SET_META_CONTEXT, 99])(
    "answers the option %i with ERR_SHUTDOWN",
    async (number) => {
      const { host, machine } = begun();
      host.closing = true;
      await feed(host, machine, [start(option(number, number === wire.GO ? infoQuery("thing") : ""))]);
      expect(host.sent[1]).toEqual(wire.optionReply(number, wire.SHUTDOWN, SHUTDOWN_TEXT));
      expect(host.opened).toEqual([]);
    },
  );

  it("acknowledges ABORT, and has no answer to EXPORT_NAME but to hang up", async () => {
    for (const [number, reply, reason] of [
      [wire.ABORT, [wire.optionReply(wire.ABORT, wire.ACK)], undefined],
      [wire.EXPORT_NAME, [], SHUTDOWN_TEXT],
    ] as const) {
      const { host, machine } = begun();
      host.closing = true;
      await feed(host, machine, [start(option(number))]);
      expect(host.sent.slice(1)).toEqual(reply);
      expect(host.ended).toEqual([reason]);
    }
  });

  it("answers so also what it was working on when it began to close", async () => {
    const { host, machine } = begun();
    const ready = host.nextReady();
    machine.consume(start(option(wire.GO, infoQuery("thing"))));
    host.closing = true;
    await ready;
    expect(host.sent[1]).toEqual(wire.optionReply(wire.GO, wire.SHUTDOWN, SHUTDOWN_TEXT));
    expect(host.agreed).toBeUndefined();
  });
});
