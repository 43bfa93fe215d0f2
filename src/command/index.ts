// Exported as "diskwright/command": what a package needs so that `diskwright serve` finds its plugins and filters.

export {
  type ChoiceKey,
  type CreateContext,
  type Entry,
  type FilterEntry,
  filterEntry,
  type Key,
  type Keys,
  type KeyText,
  type KeyValues,
  type OptionsOf,
  type Parameter,
  type PlainKey,
  type PluginEntry,
  pluginEntry,
} from "./entry.ts";
