// The public surface of @diskwright/xz.

export type { XzOptions } from "./options.ts";
export { xz } from "./xz.ts";
