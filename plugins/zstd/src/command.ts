// Exported as "@diskwright/zstd/command": what `diskwright serve --filter=zstd` finds.

import type { FilterEntry } from "diskwright/command";

/** The filters of this package, as the command line has them. */
export const filters: readonly FilterEntry[] = [];
