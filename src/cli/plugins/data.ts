// `data` on the command line. Keys that are not its own are variables of the expression.

import { data } from "../../index.ts";
import { type PluginEntry, pluginEntry } from "../catalogue.ts";
import { UsageError } from "../usage-error.ts";
import { toAllocator } from "./memory.ts";

const contents = ["data", "raw", "base64"];

export const dataEntry: PluginEntry = pluginEntry({
  name: "data",
  summary: "A disk in memory with the content that the command line gives",
  keys: {
    data: { type: "string", magic: true, help: "An expression: '0x55 0xAA', '( \"Hello\" )*2000', '@0x1fe le16:0xaa55' …" },
    raw: { type: "string", help: "The bytes themselves, as text" },
    base64: { type: "string", help: "The bytes in base64" },
    size: { type: "size", default: "that of the content", help: "Size of the disk: cuts the content, or has zeroes follow it" },
    allocator: { type: "string", default: "sparse", help: "Where the bytes are kept, as with the memory plugin: sparse, malloc, zstd" },
  },
  anyKey: true,
  async create({ data: expression, raw, base64, size, allocator }, { parameters }) {
    const given = parameters.filter(({ key }) => contents.includes(key)).length;
    if (given !== 1) throw new UsageError(`expected data=, raw= or base64= once, got ${given === 0 ? "none of them" : `${given} of them`}`);
    const options = { allocator: await toAllocator(allocator), ...(size !== undefined && { size }) };
    const variables = { ...process.env, ...Object.fromEntries(parameters.map(({ key, value }) => [key, value])) };
    if (raw !== undefined) return data({ raw }, options);
    if (base64 !== undefined) return data({ base64 }, options);
    return data(expression ?? "", { ...options, variables });
  },
});
