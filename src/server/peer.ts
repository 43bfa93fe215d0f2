// What plugins get to know of a client's end, beside what the client says itself.

import type { Socket } from "node:net";
import type { Peer } from "../contract/plugin.ts";
import { native } from "../native/index.ts";

/** A client of a unix socket. Who it is, is asked of the system when a plugin asks: for that the socket must still be open. */
export function unixPeer(socket: Socket): Peer {
  // The handle moves to another socket object once the session begins; its descriptor stays.
  const { _handle: handle } = socket as unknown as { readonly _handle: { readonly fd?: number } | null };
  let found: { readonly process: Peer["process"] } | undefined;
  return Object.defineProperty({ transport: "unix" } as const, "process", {
    get() {
      found ??= { process: credentialsOf(handle?.fd) };
      return found.process;
    },
  });
}

function credentialsOf(fd: number | undefined): Peer["process"] {
  if (fd === undefined || fd < 0) return undefined;
  try {
    return native()?.peerCredentials(fd);
  } catch {
    return undefined;
  }
}

/** The same peer with a signal that is aborted when it goes. It is not enumerable: events and logs show who came, not what happens to it. */
export function withSignal(peer: Peer, signal: AbortSignal): Peer {
  const own = Object.getOwnPropertyDescriptors(peer) as PropertyDescriptorMap;
  return Object.create(Object.getPrototypeOf(peer) as object, { ...own, signal: { value: signal, configurable: true } }) as Peer;
}
