// The fuzzed bytes through the pure state machines, where nothing but the declared errors may come out.

import type { ExportInfo } from "../../../src/contract/plugin.ts";
import { OptionError } from "../../../src/protocol/options.ts";
import {
  FramingError,
  type PayloadPlan,
  type RequestHandler,
  type RequestHeader,
  RequestReceiver,
} from "../../../src/protocol/requests.ts";
import {
  type Agreement,
  type NegotiableExport,
  type NegotiationHost,
  ServerNegotiation,
} from "../../../src/protocol/server-negotiation.ts";
import type { FuzzCase } from "./mutations.ts";

const LIMITS = { options: 50, optionSize: 65_536 };
const LARGEST_PAYLOAD = 256 * 1024;

class Host implements NegotiationHost<NegotiableExport> {
  readonly closing = false;
  sent = 0;
  ended = 0;
  agreed: Agreement<NegotiableExport> | undefined;
  onReady: () => void = () => undefined;
  send(bytes: Uint8Array): void {
    this.sent += bytes.length;
  }
  async list(): Promise<readonly ExportInfo[]> {
    return [{ name: "disk", description: "a disk" }];
  }
  async open(name: string): Promise<NegotiableExport> {
    if (name !== "" && name !== "disk") throw new OptionError(0x80000006, "no such export");
    return {
      size: 4096n,
      flags: () => 1,
      canonicalName: name,
      description: undefined,
      blockSize: [1, 4096, 65_536],
      contexts: ["x-test:parity"],
    };
  }
  ready(): void {
    this.onReady();
  }
  transmit(agreed: Agreement<NegotiableExport>): void {
    if (this.agreed !== undefined) throw new Error("the transmission phase began twice");
    this.agreed = agreed;
  }
  end(): void {
    this.ended += 1;
  }
}

class Handler implements RequestHandler {
  #expected: "request" | "refused" | undefined;
  accept({ payload }: RequestHeader): PayloadPlan {
    if (!(payload > 0)) throw new Error(`a payload of ${payload} bytes was announced`);
    if (this.#expected !== undefined) throw new Error("a payload was announced within another");
    const plan = payload > LARGEST_PAYLOAD ? "fatal" : payload % 3 === 0 ? "drop" : "take";
    this.#expected = plan === "drop" ? "refused" : "request";
    return plan;
  }
  request(header: RequestHeader, payload: Uint8Array | undefined): void {
    if ((payload?.length ?? 0) !== header.payload) throw new Error(`a payload of ${payload?.length} bytes instead of ${header.payload}`);
    if (payload !== undefined && this.#expected !== "request") throw new Error("a payload that was not to be taken");
    this.#expected = undefined;
  }
  refused(): void {
    if (this.#expected !== "refused") throw new Error("a payload was dropped that was not to be");
    this.#expected = undefined;
  }
  allocate({ payload }: RequestHeader): Uint8Array {
    if (payload > LARGEST_PAYLOAD) throw new Error(`${payload} bytes were to be allocated`);
    return new Uint8Array(payload + (payload % 2) * 64);
  }
}

/** Runs a case; answers what is wrong. */
export async function fuzzMachines({ pieces }: FuzzCase): Promise<string | undefined> {
  const host = new Host();
  const machine = new ServerNegotiation(host, LIMITS);
  let receiver: RequestReceiver | undefined;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      if (receiver === undefined) {
        const ready = new Promise<void>((resolve) => {
          host.onReady = resolve;
        });
        const taken = machine.consume(piece.subarray(at));
        if (!(taken >= 0 && taken <= piece.length - at)) return `the handshake took ${taken} of ${piece.length - at} bytes`;
        at += taken;
        if (machine.busy) await ready;
        else if (host.ended > 0) return host.ended === 1 ? undefined : "the handshake ended twice";
        else if (taken === 0 && host.agreed === undefined) return "the handshake takes no more bytes and does not say why";
        if (host.agreed !== undefined) receiver = new RequestReceiver(new Handler(), host.agreed.mode === "extended");
      } else {
        try {
          const taken = receiver.consume(piece.subarray(at));
          if (taken !== piece.length - at) return `the receiver took ${taken} of ${piece.length - at} bytes though it was not paused`;
          at += taken;
        } catch (error) {
          if (error instanceof FramingError) return undefined;
          throw error;
        }
      }
    }
  }
  return undefined;
}
