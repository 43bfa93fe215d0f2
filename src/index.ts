// The public surface.

export * from "./contract/index.ts";
export { type Allocator, memory, type MemoryOptions, type MemoryStore } from "./plugins/memory.ts";
export * from "./server/index.ts";
