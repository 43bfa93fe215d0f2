// WebAssembly as far as it is used here, typed: the types of Node do not have it, and those of browsers bring everything else along.

/** A memory; `buffer` is a SharedArrayBuffer when it is shared by threads. */
export interface WasmMemoryObject {
  readonly buffer: ArrayBuffer;
}

interface WebAssemblyGlobal {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: WasmMemoryObject } },
  ) => { readonly exports: unknown };
  readonly Memory: new (options: { readonly initial: number; readonly maximum?: number; readonly shared?: boolean }) => WasmMemoryObject;
}

/** The compiler. */
export function webAssembly(): WebAssemblyGlobal {
  return (globalThis as unknown as { WebAssembly: WebAssemblyGlobal }).WebAssembly;
}
