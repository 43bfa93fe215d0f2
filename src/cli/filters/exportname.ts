// `exportname` on the command line.

import { type ExportNameOptions, exportName } from "../../index.ts";
import { type FilterEntry, filterEntry } from "../catalogue.ts";
import { UsageError } from "../usage-error.ts";

export const exportnameEntry: FilterEntry = filterEntry({
  name: "exportname",
  summary: "Which export names clients see, may use, and get by default",
  keys: {
    "default-export": { type: "string", help: "The name that the empty one stands for" },
    "exportname-list": {
      type: "choice",
      values: ["keep", "error", "empty", "defaultonly", "explicit"],
      default: "keep",
      help: "What clients are shown that ask for a list",
    },
    exportname: { type: "string", repeatable: true, help: "A name to be listed, or let in" },
    "exportname-strict": { type: "boolean", default: "false", help: "Refuse names that are not given by exportname=" },
    exportdesc: { type: "string", default: "keep", help: "Descriptions: keep, none, fixed:TEXT or script:SCRIPT, which finds $name" },
  },
  create: ({ "default-export": defaultExport, "exportname-list": list, exportname: names, "exportname-strict": strict, exportdesc }) =>
    exportName({
      ...(defaultExport !== undefined && { defaultExport }),
      ...(list !== undefined && { list }),
      ...(names !== undefined && { names }),
      ...(strict !== undefined && { strict }),
      ...(exportdesc !== undefined && { describe: toDescribe(exportdesc) }),
    }),
});

function toDescribe(text: string): NonNullable<ExportNameOptions["describe"]> {
  if (text === "keep" || text === "none") return text;
  if (text.startsWith("fixed:")) return () => text.slice("fixed:".length);
  if (text.startsWith("script:")) return { script: text.slice("script:".length) };
  throw new UsageError(`exportdesc ${JSON.stringify(text)}: expected keep, none, fixed:TEXT or script:SCRIPT`);
}
