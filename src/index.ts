// The public surface.

export * from "./contract/index.ts";
