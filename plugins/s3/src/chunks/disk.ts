// A chunked disk: who has it open, and what they see of it.

import { type Connection, DiskError, type OpenRequest } from "diskwright";
import type { Settings } from "../options.ts";
import type { Bucket } from "../service/bucket.ts";
import { extents } from "./extents.ts";
import { Lease } from "./lease.ts";
import { type Geometry, settleGeometry } from "./manifest.ts";
import { Names } from "./names.ts";
import { Store } from "./store.ts";

/** No request is to be longer: it would lie in memory whole. */
const LONGEST = 32 * 1024 * 1024;

/** A disk of many objects. The first client to come finds out what it is; the first to write takes the lease, the last gives it back. */
export class ChunkedDisk {
  readonly #bucket: Bucket;
  readonly #settings: Settings;
  readonly #names: Names;
  #store: Store | undefined;
  #users = 0;
  #writers = 0;
  /** Opening and closing, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(bucket: Bucket, settings: Settings) {
    this.#bucket = bucket;
    this.#settings = settings;
    this.#names = new Names(settings.key);
  }

  open({ signal, readonly }: OpenRequest): Promise<Connection> {
    return this.#inTurn(async () => {
      signal.throwIfAborted();
      const store = readonly ? await this.#openToRead(signal) : await this.#openToWrite(signal);
      this.#users += 1;
      return this.#connectionTo(store, readonly, signal);
    });
  }

  async #openToRead(signal: AbortSignal): Promise<Store> {
    this.#store ??= this.#storeOf(await settleGeometry(this.#bucket, this.#names, this.#settings, false, signal));
    return this.#store;
  }

  async #openToWrite(signal: AbortSignal): Promise<Store> {
    if (this.#writers === 0) {
      const lease = this.#settings.lease ? await Lease.take(this.#bucket, this.#names, this.#settings, signal) : undefined;
      try {
        const geometry = await settleGeometry(this.#bucket, this.#names, this.#settings, true, signal);
        this.#store = this.#sameStore(geometry);
        this.#store.lease = lease;
      } catch (error) {
        await lease?.release();
        throw error;
      }
    }
    this.#writers += 1;
    return this.#store as Store;
  }

  /** The store that readers have open already, or a new one. */
  #sameStore(geometry: Geometry): Store {
    const open = this.#store?.settings;
    if (this.#store !== undefined && open?.size === geometry.size && open.objectSize === geometry.objectSize) return this.#store;
    return this.#storeOf(geometry);
  }

  #storeOf(geometry: Geometry): Store {
    const { maxDirty, concurrency } = this.#settings;
    return new Store({ bucket: this.#bucket, names: this.#names, maxDirty, concurrency, ...geometry });
  }

  #close(store: Store, readonly: boolean): Promise<void> {
    return this.#inTurn(async () => {
      this.#users -= 1;
      if (!readonly) this.#writers -= 1;
      if (!readonly && this.#writers === 0) await this.#endWriting(store);
      if (this.#users === 0) this.#store = undefined;
    });
  }

  /** Stores what is left to be stored. What cannot be is lost now, which is said. */
  async #endWriting(store: Store): Promise<void> {
    const { lease } = store;
    try {
      if (store.dirtyBytes > 0) await store.flush(new AbortController().signal);
    } catch (error) {
      const lost = store.dirtyBytes;
      this.#store = undefined;
      const why = error instanceof Error ? error.message : String(error);
      throw new DiskError("EIO", `${lost} bytes of objects were written and could not be stored when the disk was closed: ${why}`, {
        cause: error,
      });
    } finally {
      store.lease = undefined;
      store.forget();
      await lease?.release();
    }
  }

  #connectionTo(store: Store, readonly: boolean, signal: AbortSignal): Connection {
    const { size, objectSize } = store.settings;
    const preferred = Math.min(objectSize, LONGEST);
    return {
      size,
      description: this.#bucket.nameOf(this.#names.prefix),
      blockSize: { minimum: 1, preferred, maximum: LONGEST },
      traits: { fua: readonly ? "none" : "native", fastZero: !readonly, multiConn: true },
      read: (target, offset) => store.read(target, offset, signal),
      extents: (offset, length, { reqOne }) => extents(store, offset, length, reqOne, signal),
      ...(!readonly && {
        write: (source, offset, { fua }) => store.write(source, offset, fua, signal),
        zero: (offset, length, { fua }) => store.zero(offset, length, fua, signal),
        trim: (offset, length) => store.trim(offset, length, signal),
        flush: () => store.flush(signal),
      }),
      close: () => this.#close(store, readonly),
    };
  }

  /** One after the other: a disk that is being closed is not opened meanwhile. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
