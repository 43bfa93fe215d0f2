// The filters of the command line. To add one: an entry with its name, its keys as nbdkit calls them, and how to make it.

import type { FilterEntry } from "./catalogue.ts";

/** Every filter that comes with this package. */
export const filters: readonly FilterEntry[] = [];
