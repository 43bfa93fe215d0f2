// Exported as "diskwright/command": what a package needs so that `diskwright serve` finds its plugins and filters.

export {
  type CreateContext,
  type Entry,
  type FilterEntry,
  filterEntry,
  type Key,
  type Keys,
  type KeyValues,
  type OptionsOf,
  type Parameter,
  type PluginEntry,
  pluginEntry,
} from "./entry.ts";
