// `pause` on the command line.

import { pause } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const pauseEntry: FilterEntry = filterEntry({
  name: "pause",
  summary: "Requests that wait while something is done to the disk",
  keys: {
    "pause-control": { type: "path", required: true, help: "A unix socket for commands: p pauses, r resumes" },
  },
  create: ({ "pause-control": control }) => pause({ control }),
});
