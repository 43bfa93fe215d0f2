// The public surface of @diskwright/zstd.

export {};
