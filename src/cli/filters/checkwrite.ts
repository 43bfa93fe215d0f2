// `checkwrite` on the command line.

import { checkwrite } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const checkwriteEntry: FilterEntry = filterEntry({
  name: "checkwrite",
  summary: "Writes that would change something fail: for tests of programs that copy",
  keys: {},
  create: () => checkwrite(),
});
