// The data plugin: a disk whose content is given with it, as bytes or as an expression in nbdkit's small language.

import type { Awaitable } from "../contract/awaitable.ts";
import type { Connection } from "../contract/connection.ts";
import { DiskError } from "../contract/error.ts";
import type { OpenRequest, Plugin, StartContext } from "../contract/plugin.ts";
import { MAX_SIZE, parseSize, type Size } from "../contract/size.ts";
import { bytes, type Content, slice } from "./data/content.ts";
import { evaluate, type Variables } from "./data/evaluate.ts";
import { fill } from "./data/fill.ts";
import { readBase64 } from "./data/literals.ts";
import { parse } from "./data/parse.ts";
import { toAllocator } from "./memory/allocator.ts";
import { type MemoryOptions, memory } from "./memory.ts";

/**
 * What a {@link data} disk holds: an expression in nbdkit's language, bytes as numbers, bytes (a string's in UTF-8), or base64 with padding.
 */
export type DataContent = string | readonly number[] | Uint8Array | { readonly raw: Uint8Array | string } | { readonly base64: string };

/** How a {@link data} disk is made. */
export interface DataOptions extends MemoryOptions {
  /** Cuts the content to this size, or has zeroes follow it. Default: as long as the content. */
  readonly size?: Size;
  /** What `$NAME` stands for in the expression: further expressions, by name. `process.env` will do. Default: there are none. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
}

/**
 * A disk in memory with some content to begin with. Like {@link memory} it can be written, all clients share it, and it lasts as long as the plugin
 * object.
 *
 * An expression has bytes in decimal, octal (`017`) and hexadecimal (`0x1f`), words (`le16:` … `be64:`), `"strings"` with C's escapes, `base64:…`,
 * offsets (`@N @+N @-N @^N`), groups `( … )`, repetitions `*N`, slices `[a:b]`, names (`expression -> \name`, `\name`), variables (`$NAME`), files
 * (`<file`), scripts (`<( … )`) and comments (`# …`). Files are read and scripts are run when the disk starts. What `@` skips are holes and take no
 * memory.
 *
 * @param content - the expression, or bytes
 * @throws DiskError EINVAL with line and column when the expression cannot be read
 * @example A disk of 1 MiB with a boot signature
 * ```ts
 * const disk = data("@0x1fe 0x55 0xaa", { size: "1M" });
 * ```
 * @example Bytes that are at hand
 * ```ts
 * await using disk = await openDisk(data(Buffer.from("Hello, world!")));
 * ```
 * @example Variables
 * ```ts
 * const pattern = data("$sector*1024", { variables: { sector: '"boot" @0x1fe le16:0xaa55' } });
 * ```
 */
export function data(content: DataContent, options: DataOptions = {}): Plugin {
  const { variables = {}, size, allocator } = options;
  const wanted = size === undefined ? undefined : parseSize(size);
  const chosen = toAllocator(allocator);
  const evaluated = toEvaluation(content, variables, wanted);
  let inner: Plugin | undefined;

  // An error of the factory shows where that was called; this one comes up elsewhere.
  const evaluateNow = async (signal: AbortSignal): Promise<Content> => {
    try {
      return await evaluated(signal);
    } catch (error) {
      throw DiskError.is(error) ? new DiskError(error.code, `data: ${error.message}`, { cause: error }) : error;
    }
  };

  return {
    name: "data",
    // Started again after it was closed it still holds what was written to it.
    async start(context: StartContext): Promise<void> {
      if (inner !== undefined) return;
      const found = await evaluateNow(context.signal);
      const bytesOfDisk = wanted ?? found.size;
      const kept = bytesOfDisk < found.size ? slice(found, 0n, bytesOfDisk) : found;
      const disk = memory(bytesOfDisk, {
        allocator: {
          name: chosen.name,
          async allocate(length) {
            const store = await chosen.allocate(length);
            await fill(store, kept, context.signal);
            return store;
          },
        },
      });
      await disk.start?.(context);
      inner = disk;
    },
    open(request: OpenRequest): Awaitable<Connection> {
      if (inner === undefined) throw new DiskError("ESHUTDOWN", "data: the disk has not been started");
      return inner.open(request);
    },
  };
}

/** Checks the content, and answers with what finds out what it comes to. */
function toEvaluation(
  content: DataContent,
  variables: Variables,
  size: bigint | undefined,
): (signal: AbortSignal) => Promise<Content> | Content {
  if (typeof content === "string") {
    const group = parse({ text: content, name: "" });
    return (signal) => evaluate(group, variables, size ?? MAX_SIZE, signal);
  }
  const given = toBytes(content);
  return () => bytes(given);
}

function toBytes(content: Exclude<DataContent, string>): Uint8Array {
  if (content instanceof Uint8Array) return content.slice();
  if (Array.isArray(content)) return fromNumbers(content);
  const { raw, base64 } = (content ?? {}) as { readonly raw?: unknown; readonly base64?: unknown };
  if (raw instanceof Uint8Array) return raw.slice();
  if (typeof raw === "string") return Buffer.from(raw);
  if (typeof base64 !== "string") {
    throw new DiskError("EINVAL", "content: expected an expression, an array of bytes, a Uint8Array, { raw } or { base64 }");
  }
  const read = readBase64(base64);
  if (read === undefined) throw new DiskError("EINVAL", "base64: this is no base64: its letters come in fours, filled up with =");
  return read;
}

function fromNumbers(numbers: readonly number[]): Uint8Array {
  const wrong = numbers.findIndex((byte) => !Number.isInteger(byte) || byte < 0 || byte > 255);
  if (wrong !== -1) throw new DiskError("EINVAL", `byte ${wrong} of the content is ${String(numbers[wrong])}: expected 0 to 255`);
  return Uint8Array.from(numbers);
}
