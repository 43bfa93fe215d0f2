// `error` on the command line.

import { type ErrorOptions, error, type InjectedError } from "../../index.ts";
import { type FilterEntry, filterEntry, type Key } from "../catalogue.ts";

const values = ["EPERM", "EIO", "ENOMEM", "EINVAL", "ENOSPC", "ESHUTDOWN"] as const;
/** The kinds of requests in nbdkit's words, and in ours. */
const kinds = { pread: "read", pwrite: "write", trim: "trim", zero: "zero", extents: "extents", cache: "cache" } as const;

const ofOneKind: Record<string, Key> = {};
for (const kind of Object.keys(kinds)) {
  ofOneKind[`error-${kind}`] = { type: "choice", values, help: `error= for ${kind} alone` };
  ofOneKind[`error-${kind}-rate`] = { type: "probability", help: `error-rate= for ${kind} alone` };
  ofOneKind[`error-${kind}-file`] = { type: "path", help: `error-file= for ${kind} alone` };
}

export const errorEntry: FilterEntry = filterEntry({
  name: "error",
  summary: "Requests that fail on purpose",
  keys: {
    error: { type: "choice", values, default: "EIO", help: "What they fail with" },
    "error-rate": { type: "probability", default: "0", help: "How often: 10%, 0.1, 1:10" },
    "error-file": { type: "path", help: "They fail only while there is such a file" },
    ...ofOneKind,
  },
  create: (options) => error(optionsOf(options)),
});

function optionsOf(options: Readonly<Record<string, unknown>>): ErrorOptions {
  const injection = (prefix: string): ErrorOptions => ({
    ...(options[prefix] !== undefined && { error: options[prefix] as InjectedError }),
    ...(options[`${prefix}-rate`] !== undefined && { rate: options[`${prefix}-rate`] as number }),
    ...(options[`${prefix}-file`] !== undefined && { file: options[`${prefix}-file`] as string }),
  });
  const each = Object.entries(kinds).map(([theirs, ours]) => [ours, injection(`error-${theirs}`)] as const);
  return { ...injection("error"), ...Object.fromEntries(each) };
}
