// The public surface of @diskwright/zstd.

export { type UnzstdOptions, unzstd } from "./unzstd.ts";
export { type ZstdAllocator, type ZstdOptions, type ZstdUsage, zstd } from "./zstd.ts";
