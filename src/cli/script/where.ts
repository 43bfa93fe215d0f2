// Where in the author's own files an error comes from.

import { dirname, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { errorText } from "../../contract/error.ts";

/**
 * The text of an error, with the line of the author's that threw it: the innermost one in the script, or beside it.
 *
 * @param path - of the script
 */
export function located(error: unknown, path: string): string {
  const text = errorText(error);
  const place = placeOf(error, dirname(path) + sep);
  return place === undefined || text.includes(place) ? text : `${text} (at ${place})`;
}

function placeOf(error: unknown, folder: string): string | undefined {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    for (const line of (each.stack ?? "").split("\n")) {
      // `at read (file:///folder/disk.ts:12:7)`, `at async /folder/disk.ts:12:7`
      const match = /^\s+at (?:.*\()?(?:async )?((?:file:|\/|[A-Za-z]:\\).*?):(\d+):(\d+)\)?$/.exec(line);
      if (match === null) continue;
      const [, where = "", row, column] = match;
      const file = where.startsWith("file:") ? fileURLToPath(where) : where;
      if (file.startsWith(folder) && !file.includes(`${sep}node_modules${sep}`)) return `${file}:${row}:${column}`;
    }
  }
  return undefined;
}
