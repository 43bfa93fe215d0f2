// What is used of WebAssembly. TypeScript has it among the types of browsers only, which know things that Node does not.

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

interface Instance {
  readonly exports: unknown;
}

interface Namespace {
  readonly Memory: new (limits: { readonly initial: number }) => Memory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: { readonly env: { readonly memory: Memory } }) => Instance;
}

export type WasmMemory = Memory;
export const webAssembly: Namespace = (globalThis as unknown as { readonly WebAssembly: Namespace }).WebAssembly;
