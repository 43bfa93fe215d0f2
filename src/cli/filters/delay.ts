// `delay` on the command line.

import { delay } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const delayEntry: FilterEntry = filterEntry({
  name: "delay",
  summary: "Requests that take their time",
  keys: {
    rdelay: { type: "duration", help: "Reads wait so long: 2, 1.5, 40ms" },
    wdelay: { type: "duration", help: "Writes, zeroing and trimming wait so long" },
    "delay-read": { type: "duration", help: "The same as rdelay=" },
    "delay-write": { type: "duration", help: "Writes alone" },
    "delay-zero": { type: "duration", help: "Zeroing alone" },
    "delay-trim": { type: "duration", help: "Trimming alone" },
    "delay-extents": { type: "duration", help: "Listing extents (block status)" },
    "delay-cache": { type: "duration", help: "Caching" },
    "delay-open": { type: "duration", help: "Opening the disk for a client" },
    "delay-close": { type: "duration", help: "Closing the disk for a client" },
    "delay-fast-zero": { type: "boolean", default: "true", help: "If false, fast zeroing is refused at once instead" },
  },
  create: ({ "delay-fast-zero": fastZero }, { parameters }) => {
    // wdelay= stands for three of the others, so the order counts.
    const times: Partial<Record<Kind, string>> = {};
    for (const { key, value } of parameters) for (const kind of kindsOf[key] ?? []) times[kind] = value;
    return delay({ ...times, ...(fastZero !== undefined && { fastZero }) });
  },
});

type Kind = "read" | "write" | "zero" | "trim" | "extents" | "cache" | "open" | "close";

const kindsOf: Readonly<Record<string, readonly Kind[]>> = {
  rdelay: ["read"],
  wdelay: ["write", "zero", "trim"],
  "delay-read": ["read"],
  "delay-write": ["write"],
  "delay-zero": ["zero"],
  "delay-trim": ["trim"],
  "delay-extents": ["extents"],
  "delay-cache": ["cache"],
  "delay-open": ["open"],
  "delay-close": ["close"],
};
