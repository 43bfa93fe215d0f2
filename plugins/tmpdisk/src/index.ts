// The public surface of @diskwright/tmpdisk.

export type { Format, FormatContext, TmpdiskOptions } from "./options.ts";
export { tmpdisk } from "./tmpdisk.ts";
