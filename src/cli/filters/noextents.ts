// `noextents` on the command line.

import { noextents } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const noextentsEntry: FilterEntry = filterEntry({
  name: "noextents",
  summary: "A disk that says nothing of its holes",
  keys: {},
  create: () => noextents(),
});
