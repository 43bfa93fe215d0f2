// The public surface of @diskwright/zstd.

export { type ZstdAllocator, type ZstdOptions, type ZstdUsage, zstd } from "./zstd.ts";
