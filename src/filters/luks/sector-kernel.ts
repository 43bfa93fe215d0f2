// The memory in which sectors are worked on, and what is done to it 16 bytes at a time.
//
// Node's ciphers know XTS for one sector at a time: 150 MiB/s. One call of aes-256-ecb for many sectors, and their tweaks added before and
// after, makes 1.8 GB/s in WebAssembly; with BigUint64Array it was 0.9.

import { type WasmMemoryObject, webAssembly } from "./web-assembly.ts";
import { type KernelFunctions, kernelBytes } from "./xts-kernel.ts";

/** Bytes that are worked on at once: as many as stay in the processor's cache. */
export const CHUNK: number = 64 * 1024;
const DATA = 0;
const STREAM = CHUNK;
const IVS = 2 * CHUNK;

let compiled: object | undefined;

/** Scratch memory for the sectors of one disk. Synchronous: what is in it is used up before anybody else has a turn. */
export class SectorKernel {
  readonly sectorSize: number;
  /** The bytes of the sectors. */
  readonly data: Uint8Array;
  /** What is added to them. */
  readonly stream: Uint8Array;
  /** 16 bytes for each sector. */
  readonly ivs: Uint8Array;
  readonly #memory: WasmMemoryObject;
  readonly #functions: KernelFunctions;

  constructor(sectorSize: number) {
    const { Module, Instance, Memory } = webAssembly();
    compiled ??= new Module(kernelBytes());
    this.sectorSize = sectorSize;
    this.#memory = new Memory({ initial: 3 });
    this.#functions = new Instance(compiled, { env: { memory: this.#memory } }).exports as unknown as KernelFunctions;
    this.data = new Uint8Array(this.#memory.buffer, DATA, CHUNK);
    this.stream = new Uint8Array(this.#memory.buffer, STREAM, CHUNK);
    this.ivs = new Uint8Array(this.#memory.buffer, IVS, (CHUNK / 512) * 16);
  }

  /** Numbers the IVs from `from` to `to`: the sector, counted in 512 bytes, little-endian. */
  number(from: number, to: number, sector: bigint): void {
    this.#functions.number(IVS + from * 16, sector, BigInt(this.sectorSize / 512), IVS + to * 16);
  }

  /** Makes the stream of XTS tweaks for `count` sectors of what the IVs were encrypted to, and adds it to the data. */
  tweak(count: number): void {
    this.#functions.tweak(IVS, IVS + count * 16, STREAM, DATA, this.sectorSize);
  }

  /** Adds the first `length` bytes of the stream to the data. */
  addStream(length: number): void {
    this.#functions.xor(DATA, DATA + length, STREAM);
  }

  wipe(): void {
    new Uint8Array(this.#memory.buffer).fill(0);
  }
}
