// `swab` on the command line.

import { swab } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const swabEntry: FilterEntry = filterEntry({
  name: "swab",
  summary: "The bytes of each word in reverse order",
  keys: {
    "swab-bits": { type: "choice", values: ["8", "16", "32", "64"], default: "16", help: "Bits of a word" },
  },
  create: ({ "swab-bits": bits = "16" }) => swab({ bits: Number(bits) as 8 | 16 | 32 | 64 }),
});
