// `extentlist` on the command line.

import { extentList } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const extentlistEntry: FilterEntry = filterEntry({
  name: "extentlist",
  summary: "What is data and what is a hole, by a list",
  keys: {
    extentlist: { type: "path", required: true, help: "A file with a line `offset length [hole,zero]` for each extent" },
  },
  create: ({ extentlist }) => extentList(extentlist),
});
