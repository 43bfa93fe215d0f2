// `retry` on the command line.

import { retry } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const retryEntry: FilterEntry = filterEntry({
  name: "retry",
  summary: "A disk that is opened again when it fails",
  keys: {
    retries: { type: "integer", default: "5", help: "How often a request is made again" },
    "retry-delay": { type: "duration", default: "2", help: "The time before the first retry" },
    "retry-exponential": { type: "boolean", default: "true", help: "Each wait is twice as long as the one before" },
    "retry-readonly": { type: "boolean", default: "false", help: "From the first failure on the disk is read-only" },
  },
  create: ({ retries, "retry-delay": delay, "retry-exponential": exponential, "retry-readonly": readonly }) =>
    retry({
      ...(retries !== undefined && { retries }),
      ...(delay !== undefined && { delay }),
      ...(exponential !== undefined && { exponential }),
      ...(readonly !== undefined && { readonly }),
    }),
});
