// One block, from the bytes of the file to what they hold: everything that the block says of itself is checked. Section 3 of "The .xz File Format".

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { toChain } from "./filters.ts";
import { parseBlockHeader } from "./format/block-header.ts";
import { FormatError, littleEndian, roundUp } from "./format/fields.ts";
import { type Check, checks } from "./format/stream.ts";
import type { Lzma2Decoder } from "./lzma2/decoder.ts";

/** What is known of a block beforehand. */
export interface BlockFacts {
  /** How its content is checked: the stream says that. */
  readonly check: Check;
  /** Bytes without padding: the index says that. */
  readonly unpadded: number;
  /** Bytes of what it decompresses to: the index says that too. */
  readonly uncompressed: number;
}

/**
 * Decodes a block.
 *
 * @param block - all of its bytes, with padding
 * @param checkGoOn - called now and then; throws to end the work
 * @returns the content, valid until the decoder is used again
 * @throws FormatError or CorruptError when the block is not what it should be
 */
export function decodeBlock(decoder: Lzma2Decoder, block: Uint8Array, facts: BlockFacts, checkGoOn?: () => void): Uint8Array<ArrayBuffer> {
  const { check, unpadded, uncompressed } = facts;
  const header = parseBlockHeader(block);
  const dataEnd = unpadded - checks[check].length;
  const compressed = dataEnd - header.length;
  if (compressed < 1) throw new FormatError("a block has no room for its data");
  if (header.compressed !== undefined && header.compressed !== compressed) {
    throw new FormatError(`a block is to have ${header.compressed} bytes of data by its header, and ${compressed} by the index`);
  }
  if (header.uncompressed !== undefined && header.uncompressed !== uncompressed) {
    throw new FormatError(`a block is to become ${header.uncompressed} bytes by its header, and ${uncompressed} by the index`);
  }
  const checkAt = roundUp(dataEnd);
  if (block.subarray(dataEnd, checkAt).some((byte) => byte !== 0)) throw new FormatError("a block has padding that is not zero");
  const chain = toChain(header.filters);
  const content = decoder.decode(block.subarray(header.length, dataEnd), uncompressed, chain.dictionarySize, checkGoOn);
  for (const undo of chain.undo) undo(content);
  if (!holds(check, content, block.subarray(checkAt), decoder)) {
    throw new FormatError(`the content of a block is damaged: its ${check.toUpperCase()} is wrong`);
  }
  return content;
}

function holds(check: Check, content: Uint8Array, stored: Uint8Array, decoder: Lzma2Decoder): boolean {
  switch (check) {
    case "none":
      return true;
    case "crc32":
      return crc32(content) === littleEndian(stored, 0);
    case "crc64":
      return decoder.crc64(content) === new DataView(stored.buffer, stored.byteOffset, 8).getBigUint64(0, true);
    case "sha256":
      return createHash("sha256").update(content).digest().equals(stored.subarray(0, 32));
  }
}
