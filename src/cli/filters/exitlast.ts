// `exitlast` on the command line.

import { exitLast } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";

export const exitlastEntry: FilterEntry = filterEntry({
  name: "exitlast",
  summary: "The server ends when its last client has gone",
  keys: {},
  create: () => exitLast(),
});
