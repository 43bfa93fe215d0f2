// What is used of the C library. It is loaded in the thread or process of the VDDK, never in that of the server.

import koffi from "koffi";

/** A pointer. */
export type Pointer = bigint;

export interface LibC {
  memcpy(to: Pointer | Uint8Array | BigUint64Array, from: Pointer | Uint8Array, length: number): void;
  calloc(count: number, length: number): Pointer;
  free(at: Pointer): void;
  /** Overwrites memory with zeroes, also where nobody reads it again. */
  wipe(at: Pointer, length: number): void;
  /** Where a function or variable is. */
  symbol(name: string): Pointer;
  /** Maps a shared file. */
  map(fd: number, length: number): Pointer;
  /** Standard output is written at the end of every line. */
  lineBufferOutput(): void;
  /** This process is killed when its parent is gone. */
  dieWithParent(): void;
}

/** Loads it. */
export function loadLibC(): LibC {
  const c = koffi.load(null);
  const mmap = c.func("void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset)");
  const setvbuf = c.func("int setvbuf(void *stream, void *buffer, int mode, size_t size)");
  const prctl = c.func("int prctl(int option, unsigned long value)");
  return {
    memcpy: c.func("memcpy", "void", ["void *", "void *", "size_t"]),
    calloc: c.func("void *calloc(size_t count, size_t length)"),
    free: c.func("void free(void *at)"),
    wipe: c.func("void explicit_bzero(void *at, size_t length)"),
    symbol: (name) => c.symbol(name) as Pointer,
    map(fd, length) {
      const [readWrite, shared] = [3, 1];
      const at = mmap(null, length, readWrite, shared, fd, 0) as Pointer;
      if (BigInt.asIntN(64, at) === -1n) throw new Error("the memory that is shared with the server cannot be mapped");
      return at;
    },
    lineBufferOutput() {
      const lineBuffered = 1;
      setvbuf(koffi.decode(c.symbol("stdout"), "void *"), null, lineBuffered, 0);
    },
    dieWithParent() {
      const [setDeathSignal, kill] = [1, 9];
      prctl(setDeathSignal, kill);
    },
  };
}
