// `readonly` on the command line.

import { readonly } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const readonlyEntry: FilterEntry = filterEntry({
  name: "readonly",
  summary: "A disk that cannot be written, always or while a file is there",
  keys: {
    "readonly-file": { type: "path", help: "Refuse writes while there is such a file, and take them while there is not" },
  },
  create: ({ "readonly-file": file }) => readonly(file === undefined ? {} : { file }),
});
