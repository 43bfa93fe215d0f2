// The header of a block: how long it is and which filters its content went through. Section 3.1 of "The .xz File Format".

import { checkCrc32, Fields, FormatError } from "./fields.ts";

/** A filter by its number, and what it was set to. */
export interface FilterFlags {
  readonly id: number;
  readonly properties: Uint8Array;
}

/** What a block's header says. */
export interface BlockHeader {
  /** Bytes of the header itself. */
  readonly length: number;
  /** Bytes of the compressed data, where the header says. */
  readonly compressed?: number;
  /** Bytes of what they decompress to, where the header says. */
  readonly uncompressed?: number;
  /** In the order in which the compressor applied them. */
  readonly filters: readonly FilterFlags[];
}

const what = "the header of a block";

/** Reads the header that a block begins with. */
export function parseBlockHeader(block: Uint8Array): BlockHeader {
  const first = block[0] ?? 0;
  if (first === 0) throw new FormatError("there is no block where the index says that there is one");
  const length = (first + 1) * 4;
  if (length > block.length) throw new FormatError(`${what} is longer than the block`);
  checkCrc32(block, 0, length - 4, length - 4, what);
  const fields = new Fields(block, what, 1, length - 4);
  const flags = fields.byte();
  if ((flags & 0x3c) !== 0) throw new FormatError(`${what} uses flags that are not defined: it may need a newer version`);
  const compressed = (flags & 0x40) === 0 ? undefined : fields.number();
  const uncompressed = (flags & 0x80) === 0 ? undefined : fields.number();
  const filters = Array.from({ length: (flags & 0x03) + 1 }, () => parseFilter(fields));
  fields.padding();
  return {
    length,
    filters,
    ...(compressed !== undefined && { compressed }),
    ...(uncompressed !== undefined && { uncompressed }),
  };
}

function parseFilter(fields: Fields): FilterFlags {
  const id = fields.number();
  const length = fields.number();
  if (length > fields.left) throw new FormatError(`${what} has a filter whose properties it does not hold`);
  return { id, properties: Uint8Array.from({ length }, () => fields.byte()) };
}
