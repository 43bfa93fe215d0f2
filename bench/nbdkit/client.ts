// The smallest NBD client: connects, reads, leaves. The same for every server, so that what differs is theirs.

import { once } from "node:events";
import { connect, type Socket } from "node:net";

const GREETING = 18;
const EXPORT = 10;
const OPTION_EXPORT_NAME = 1;
const BOTH_FLAGS = 3;

/** A connection to a server's default export. */
export class Client {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects and negotiates, down to the size of the disk. */
  static async connect(path: string): Promise<Client> {
    const socket = connect(path);
    await once(socket, "connect");
    const client = new Client(socket);
    await client.#take(GREETING);
    const hello = Buffer.alloc(20);
    hello.writeUInt32BE(BOTH_FLAGS, 0);
    hello.write("IHAVEOPT", 4);
    hello.writeUInt32BE(OPTION_EXPORT_NAME, 12);
    socket.write(hello);
    await client.#take(EXPORT);
    return client;
  }

  /** Reads from the disk. */
  async read(offset: number, length: number): Promise<Buffer> {
    const request = Buffer.alloc(28);
    request.writeUInt32BE(0x25609513, 0);
    request.writeBigUInt64BE(BigInt(offset), 16);
    request.writeUInt32BE(length, 24);
    this.#socket.write(request);
    const reply = await this.#take(16 + length);
    if (reply.readUInt32BE(4) !== 0) throw new Error(`reading ${length} bytes at ${offset} failed with error ${reply.readUInt32BE(4)}`);
    return reply.subarray(16);
  }

  /** Leaves as the protocol asks for. */
  close(): void {
    const request = Buffer.alloc(28);
    request.writeUInt32BE(0x25609513, 0);
    request.writeUInt16BE(2, 6);
    this.#socket.on("error", () => undefined);
    this.#socket.end(request);
  }

  async #take(bytes: number): Promise<Buffer> {
    while (this.#received.length < bytes) {
      const chunk = this.#socket.read() as Buffer | null;
      if (chunk !== null) this.#received = Buffer.concat([this.#received, chunk]);
      else if (this.#socket.readableEnded || this.#socket.destroyed) throw new Error("the server closed the connection");
      else await Promise.race([once(this.#socket, "readable"), once(this.#socket, "end")]);
    }
    const taken = this.#received.subarray(0, bytes);
    this.#received = this.#received.subarray(bytes);
    return taken;
  }
}
