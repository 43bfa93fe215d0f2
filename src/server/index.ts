// Serving disks.

export type { ConnectionEvent, ErrorEvent, RequestEvent } from "./diagnostics.ts";
export type * from "./options.ts";
export { serve } from "./serve.ts";
