// `tar` on the command line.

import { tar } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const tarEntry: FilterEntry = filterEntry({
  name: "tar",
  summary: "One file of a tar archive, read and written where it lies",
  keys: {
    "tar-entry": { type: "string", required: true, help: "The file's name, as tar tf prints it" },
    "tar-limit": { type: "size", default: "all", help: "How many bytes of the archive are searched for it" },
    tar: { type: "string", help: "Taken and not needed: the name of a tar program" },
  },
  create: ({ "tar-entry": entry, "tar-limit": limit }) => tar({ entry, ...(limit !== undefined && { limit }) }),
});
