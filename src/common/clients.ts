// Who is connected: counted by client, not by opened disk, from when they come until they are gone and their disks are closed.

import type { Disk } from "../contract/disk.ts";
import { everyStep } from "../contract/every-step.ts";
import { openLayer } from "../contract/open.ts";
import type { OpenRequest, Peer, Plugin } from "../contract/plugin.ts";
import { withClose } from "../contract/with-close.ts";

interface Client {
  /** Disks that it has open. */
  open: number;
  /** The connection is there. */
  connected: boolean;
}

/** Clients of a plugin. One that may open several disks, one after the other, is one client. */
export class Clients {
  readonly #clients = new Map<Peer, Client>();
  readonly #left: () => void;

  /** @param left - called when a client is gone and its disks are closed */
  constructor(left: () => void = () => undefined) {
    this.#left = left;
  }

  /** How many there are. */
  get count(): number {
    return this.#clients.size;
  }

  has(peer: Peer): boolean {
    return this.#clients.has(peer);
  }

  /** A client has connected. One of whom nobody can tell when it goes counts from when it opens a disk. */
  connected(peer: Peer): void {
    const { signal } = peer;
    if (signal === undefined || signal.aborted || this.#clients.has(peer)) return;
    this.#clients.set(peer, { open: 0, connected: true });
    signal.addEventListener(
      "abort",
      () => {
        const client = this.#clients.get(peer);
        if (client !== undefined) client.connected = false;
        this.#settle(peer);
      },
      { once: true },
    );
  }

  /** Opens a disk for a client, which has it until it is closed. */
  async open(next: Plugin, request: OpenRequest): Promise<Disk> {
    const { peer } = request;
    const disk = await openLayer(next, request);
    this.connected(peer);
    const client = this.#clients.get(peer) ?? { open: 0, connected: false };
    client.open += 1;
    this.#clients.set(peer, client);
    return withClose(disk, () => everyStep(disk.close, () => this.#closed(peer)));
  }

  #closed(peer: Peer): void {
    const client = this.#clients.get(peer);
    if (client !== undefined) client.open -= 1;
    this.#settle(peer);
  }

  #settle(peer: Peer): void {
    const client = this.#clients.get(peer);
    if (client === undefined || client.connected || client.open > 0) return;
    this.#clients.delete(peer);
    this.#left();
  }
}
