// The public surface of @diskwright/vddk.

export type { VddkMessage } from "./log.ts";
export type { AdapterType, Compression, CreateOptions, CreateType, HardwareVersion, VddkOptions } from "./options.ts";
export { vddk } from "./vddk.ts";
