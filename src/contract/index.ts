// The five words and what makes them work together.

export * from "./awaitable.ts";
export * from "./clock.ts";
export * from "./complete.ts";
export * from "./complete-over.ts";
export * from "./connection.ts";
export * from "./disk.ts";
export * from "./error.ts";
export * from "./filter.ts";
export * from "./flags.ts";
export * from "./lifecycle.ts";
export * from "./open.ts";
export * from "./pipe.ts";
export * from "./plugin.ts";
export * from "./size.ts";
