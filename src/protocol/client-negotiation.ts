// The client's half of the negotiation, from the greeting to the first request (protocol document, "Handshake").

import type { BlockSize } from "../contract/connection.ts";
import { DiskError } from "../contract/error.ts";
import type { ExportInfo } from "../contract/plugin.ts";
import { MAX_SIZE } from "../contract/size.ts";
import { refusal, serverText, violation } from "./client-errors.ts";
import { type Answer, ask, decodeName, encodeOption, encodeString, infoData, leave, metaData } from "./client-options.ts";
import { read, type Script, send } from "./client-script.ts";
import { BASE_ALLOCATION, ClientFlag, HandshakeFlag, Info, NBD_MAGIC, OPTION_MAGIC, Option, Reply, TransmissionFlag } from "./constants.ts";
import type { ReplyMode } from "./replies.ts";

/** What a client wants of an export. */
export interface ExportQuery {
  /** The empty name is the server's default export. */
  readonly exportName: string;
  /** The most to ask for: `extended` falls back to `structured`, and that to `simple`. */
  readonly replies: ReplyMode;
  /** Contexts that must be there, beside `base:allocation`, which is asked for anyway. */
  readonly contexts: readonly string[];
}

/** What client and server agreed on when transmission begins. */
export interface ExportAgreement {
  /** The server's own name for the export. */
  readonly exportName: string;
  readonly description: string | undefined;
  /** Bytes. */
  readonly size: bigint;
  /** Transmission flags, without those that make no sense in this mode. */
  readonly flags: number;
  readonly blockSize: BlockSize | undefined;
  readonly mode: ReplyMode;
  /** The contexts that block status will tell of. */
  readonly contexts: readonly NegotiatedContext[];
}

/** A context and the number that stands for it on this connection. */
export interface NegotiatedContext {
  readonly id: number;
  readonly name: string;
}

/** `cliserv_magic`: what follows NBDMAGIC in the oldstyle negotiation. */
const OLDSTYLE_MAGIC = 0x00420281861253n;
const ZEROES = 124;
const noData = new Uint8Array(0);

/** Negotiates the use of an export. When it returns, transmission has begun. */
export function* negotiateExport(query: ExportQuery): Script<ExportAgreement> {
  const { fixed, noZeroes } = yield* greet();
  const useIt = `use export ${JSON.stringify(query.exportName)}`;
  if (!fixed) {
    if (query.contexts.length > 0) throw new DiskError("ENOTSUP", `the server is too old to offer the context ${query.contexts[0]}`);
    return yield* exportName(query, "simple", [], noZeroes);
  }
  const mode = yield* agreeOnReplies(query.replies);
  const contexts = yield* setContexts(query, mode);
  const data = infoData(query.exportName, [Info.NAME, Info.DESCRIPTION, Info.BLOCK_SIZE]);
  const { error, replies } = yield* ask(Option.GO, data, Reply.INFO, useIt);
  if (error === undefined) return agreement(query, mode, contexts, replies);
  // Extended headers rule out EXPORT_NAME: a server that has the one must have GO.
  if (error.type === Reply.ERR_UNSUP && mode !== "extended") return yield* exportName(query, mode, contexts, noZeroes);
  throw yield* leave(refusal(useIt, error.type, error.text));
}

/** Asks for the list of exports, then leaves. */
export function* negotiateList(): Script<ExportInfo[]> {
  const { fixed } = yield* greet();
  const wish = "list its exports";
  if (!fixed) throw new DiskError("ENOTSUP", `the server is too old to ${wish}: it does not speak fixed newstyle`);
  const { error, replies } = yield* ask(Option.LIST, noData, Reply.SERVER, wish);
  const answer = yield* leave(replies);
  if (error !== undefined) throw refusal(wish, error.type, error.text);
  return answer.map((payload) => {
    const length = payload.length < 4 ? Number.POSITIVE_INFINITY : payload.readUInt32BE(0);
    if (length > payload.length - 4) throw violation(`a list entry of ${payload.length} bytes whose name has ${length}`);
    const name = decodeName(payload.subarray(4, 4 + length), "an export name");
    const description = serverText(payload.subarray(4 + length));
    return { name, ...(description !== "" && { description }) };
  });
}

/**
 * Asks which contexts an export offers, then leaves.
 *
 * @param queries - what to look for, a namespace with its colon being a wildcard (`qemu:`); none: everything
 */
export function* negotiateContextList(exportName: string, queries: readonly string[]): Script<string[]> {
  const { fixed } = yield* greet();
  if (!fixed) return [];
  const mode = yield* agreeOnReplies("structured");
  if (mode === "simple") return yield* leave([]);
  const wish = `list the contexts of export ${JSON.stringify(exportName)}`;
  const { error, replies } = yield* ask(Option.LIST_META_CONTEXT, metaData(exportName, queries), Reply.META_CONTEXT, wish);
  yield* leave(undefined);
  if (error?.type === Reply.ERR_UNSUP) return [];
  if (error !== undefined) throw refusal(wish, error.type, error.text);
  return replies.map((payload) => decodeContext(payload).name);
}

/** Takes the server's greeting and sends the client's flags. */
function* greet(): Script<{ fixed: boolean; noZeroes: boolean }> {
  const magic = yield* read(8, "the server's greeting");
  if (magic.readBigUInt64BE(0) !== NBD_MAGIC) {
    throw new DiskError("EPROTO", `this is no NBD server: its greeting begins with ${JSON.stringify(magic.toString("latin1"))}`);
  }
  const style = (yield* read(8, "the rest of the server's greeting")).readBigUInt64BE(0);
  if (style === OLDSTYLE_MAGIC)
    throw new DiskError("EPROTO", "the server speaks the oldstyle negotiation of before 2011, which is not supported");
  if (style !== OPTION_MAGIC) throw violation(`NBDMAGIC followed by 0x${style.toString(16)}`);
  const flags = (yield* read(2, "the server's handshake flags")).readUInt16BE(0);
  const fixed = (flags & HandshakeFlag.FIXED_NEWSTYLE) !== 0;
  const noZeroes = (flags & HandshakeFlag.NO_ZEROES) !== 0;
  const answer = Buffer.alloc(4);
  answer.writeUInt32BE((fixed ? ClientFlag.FIXED_NEWSTYLE : 0) | (noZeroes ? ClientFlag.NO_ZEROES : 0), 0);
  yield* send(answer);
  return { fixed, noZeroes };
}

function* agreeOnReplies(most: ReplyMode): Script<ReplyMode> {
  if (most === "extended") {
    const { error } = yield* ask(Option.EXTENDED_HEADERS, noData, undefined, "use extended headers");
    if (error === undefined) return "extended";
  }
  if (most === "simple") return "simple";
  const { error } = yield* ask(Option.STRUCTURED_REPLY, noData, undefined, "use structured replies");
  return error === undefined ? "structured" : "simple";
}

function* setContexts({ exportName, contexts }: ExportQuery, mode: ReplyMode): Script<readonly NegotiatedContext[]> {
  const wish = `select contexts of export ${JSON.stringify(exportName)}`;
  if (mode === "simple") {
    if (contexts.length === 0) return [];
    throw yield* leave(new DiskError("ENOTSUP", `the server has no structured replies and so cannot offer the context ${contexts[0]}`));
  }
  const queries = [...new Set([BASE_ALLOCATION, ...contexts])];
  const { error, replies } = yield* ask(Option.SET_META_CONTEXT, metaData(exportName, queries), Reply.META_CONTEXT, wish);
  if (error !== undefined) {
    if (contexts.length > 0) throw yield* leave(refusal(wish, error.type, error.text));
    return [];
  }
  const selected = replies.map(decodeContext);
  if (selected.length > Math.max(64, queries.length)) throw violation(`${selected.length} contexts where ${queries.length} were asked for`);
  const distinct = (values: readonly unknown[]): boolean => new Set(values).size === values.length;
  if (!distinct(selected.map(({ id }) => id)) || !distinct(selected.map(({ name }) => name))) throw violation("the same context twice");
  const missing = contexts.filter((wanted) => !selected.some(({ name }) => name === wanted));
  if (missing.length === 0) return selected;
  const why = `the server does not offer the context ${missing.join(", ")} for export ${JSON.stringify(exportName)}: listContexts() shows what it does`;
  throw yield* leave(new DiskError("ENOTSUP", why));
}

function decodeContext(payload: Buffer): NegotiatedContext {
  if (payload.length < 5) throw violation(`a context described in ${payload.length} bytes`);
  const name = decodeName(payload.subarray(4), "a context name");
  if (!Buffer.from(name).equals(payload.subarray(4))) throw violation("a context name that is no UTF-8");
  return { id: payload.readUInt32BE(0), name };
}

/** The old way to choose an export: a server that does not like it can only hang up. */
function* exportName(
  query: ExportQuery,
  mode: ReplyMode,
  contexts: readonly NegotiatedContext[],
  noZeroes: boolean,
): Script<ExportAgreement> {
  const name = JSON.stringify(query.exportName);
  yield* send(encodeOption(Option.EXPORT_NAME, encodeString(query.exportName, "an export name")));
  const answer = yield* read(noZeroes ? 10 : 10 + ZEROES, `the size of export ${name} (it hangs up when it has no such export)`);
  return {
    ...checkExport(answer.readBigUInt64BE(0), answer.readUInt16BE(8), mode),
    exportName: query.exportName,
    description: undefined,
    blockSize: undefined,
    mode,
    contexts,
  };
}

function agreement(
  query: ExportQuery,
  mode: ReplyMode,
  contexts: readonly NegotiatedContext[],
  replies: Answer["replies"],
): ExportAgreement {
  let seen: { size: bigint; flags: number } | undefined;
  let { exportName } = query;
  let description: string | undefined;
  let blockSize: BlockSize | undefined;
  const expect = (payload: Buffer, length: number, what: string): void => {
    if (payload.length !== length) throw violation(`${what} in ${payload.length} bytes where there must be ${length}`);
  };
  for (const payload of replies) {
    if (payload.length < 2) throw violation(`information of ${payload.length} bytes`);
    switch (payload.readUInt16BE(0)) {
      case Info.EXPORT:
        expect(payload, 12, "the export's size and flags");
        seen = checkExport(payload.readBigUInt64BE(2), payload.readUInt16BE(10), mode);
        break;
      case Info.NAME:
        exportName = decodeName(payload.subarray(2), "an export name");
        break;
      case Info.DESCRIPTION:
        description = serverText(payload.subarray(2)) || undefined;
        break;
      case Info.BLOCK_SIZE:
        expect(payload, 14, "block sizes");
        blockSize = checkBlockSize(payload.readUInt32BE(2), payload.readUInt32BE(6), payload.readUInt32BE(10));
        break;
      default: // Unknown information is to be ignored.
    }
  }
  if (seen === undefined) throw violation("it lets the export be used without telling its size");
  return { ...seen, exportName, description, blockSize, mode, contexts };
}

function checkExport(size: bigint, flags: number, mode: ReplyMode): { size: bigint; flags: number } {
  if (size > MAX_SIZE) throw new DiskError("EOVERFLOW", `the server says that the export has ${size} bytes: no disk is larger than 2^63-1`);
  if ((flags & TransmissionFlag.HAS_FLAGS) === 0)
    throw violation(`transmission flags 0x${flags.toString(16)} that do not say that they are there`);
  let meant = flags;
  if (mode === "simple") meant &= ~TransmissionFlag.SEND_DF;
  if (mode !== "extended") meant &= ~TransmissionFlag.BLOCK_STATUS_PAYLOAD;
  if ((flags & TransmissionFlag.SEND_WRITE_ZEROES) === 0) meant &= ~TransmissionFlag.SEND_FAST_ZERO;
  return { size, flags: meant };
}

function checkBlockSize(minimum: number, preferred: number, maximum: number): BlockSize {
  const powerOfTwo = (n: number): boolean => n > 0 && Number.isInteger(Math.log2(n));
  const sizes = `block sizes (minimum ${minimum}, preferred ${preferred}, maximum ${maximum})`;
  if (!powerOfTwo(minimum) || minimum > 65_536) throw violation(`${sizes}: the minimum must be a power of two from 1 to 65536`);
  if (!powerOfTwo(preferred) || preferred < Math.max(512, minimum)) {
    throw violation(`${sizes}: the preferred must be a power of two, at least 512 and the minimum`);
  }
  if (maximum < preferred) throw violation(`${sizes}: the maximum must be at least the preferred`);
  // Only whole blocks can be asked for, so the maximum that can be used is one.
  return { minimum, preferred, maximum: maximum === 0xffffffff ? maximum : maximum - (maximum % minimum) };
}
