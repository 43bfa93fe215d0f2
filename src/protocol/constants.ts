// The numbers of the NBD protocol document (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md), by its names.

/** `NBDMAGIC`: how every server greets. */
export const NBD_MAGIC = 0x4e42444d41474943n;
/** `IHAVEOPT`: newstyle negotiation, and every option a client sends. */
export const OPTION_MAGIC = 0x49484156454f5054n;
/** The server's answer to an option. */
export const OPTION_REPLY_MAGIC = 0x0003e889045565a9n;
/** A request with 28-byte header. */
export const REQUEST_MAGIC = 0x25609513;
/** A request with 32-byte header. */
export const EXTENDED_REQUEST_MAGIC = 0x21e41c71;
/** A simple reply. */
export const SIMPLE_REPLY_MAGIC = 0x67446698;
/** A chunk of a structured reply. */
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;
/** A chunk of an extended reply. */
export const EXTENDED_REPLY_MAGIC = 0x6e8a278c;

/** Bytes of a request header. */
export const REQUEST_SIZE = 28;
/** Bytes of an extended request header. */
export const EXTENDED_REQUEST_SIZE = 32;
/** Bytes of a simple reply header. */
export const SIMPLE_REPLY_SIZE = 16;
/** Bytes of a structured chunk header. */
export const STRUCTURED_REPLY_SIZE = 20;
/** Bytes of an extended chunk header. */
export const EXTENDED_REPLY_SIZE = 32;
/** Longest string on the wire, in bytes of UTF-8. */
export const MAX_STRING = 4096;
/** Largest payload that a server must be ready for unless it said otherwise. */
export const DEFAULT_MAX_PAYLOAD: number = 32 * 1024 * 1024;

/** Handshake flags of the server. */
export const HandshakeFlag = { FIXED_NEWSTYLE: 1, NO_ZEROES: 2 } as const;
/** Handshake flags of the client. */
export const ClientFlag = { FIXED_NEWSTYLE: 1, NO_ZEROES: 2 } as const;

/** Options of the negotiation. */
export const Option = {
  EXPORT_NAME: 1,
  ABORT: 2,
  LIST: 3,
  PEEK_EXPORT: 4,
  STARTTLS: 5,
  INFO: 6,
  GO: 7,
  STRUCTURED_REPLY: 8,
  LIST_META_CONTEXT: 9,
  SET_META_CONTEXT: 10,
  EXTENDED_HEADERS: 11,
} as const;

/** Answers to options. */
export const Reply = {
  ACK: 1,
  SERVER: 2,
  INFO: 3,
  META_CONTEXT: 4,
  ERR_UNSUP: 0x80000001,
  ERR_POLICY: 0x80000002,
  ERR_INVALID: 0x80000003,
  ERR_PLATFORM: 0x80000004,
  ERR_TLS_REQD: 0x80000005,
  ERR_UNKNOWN: 0x80000006,
  ERR_SHUTDOWN: 0x80000007,
  ERR_BLOCK_SIZE_REQD: 0x80000008,
  ERR_TOO_BIG: 0x80000009,
  ERR_EXT_HEADER_REQD: 0x8000000a,
} as const;

/** What an INFO reply tells. */
export const Info = { EXPORT: 0, NAME: 1, DESCRIPTION: 2, BLOCK_SIZE: 3 } as const;

/** Transmission flags: what an export can do. */
export const TransmissionFlag = {
  HAS_FLAGS: 0x1,
  READ_ONLY: 0x2,
  SEND_FLUSH: 0x4,
  SEND_FUA: 0x8,
  ROTATIONAL: 0x10,
  SEND_TRIM: 0x20,
  SEND_WRITE_ZEROES: 0x40,
  SEND_DF: 0x80,
  CAN_MULTI_CONN: 0x100,
  SEND_RESIZE: 0x200,
  SEND_CACHE: 0x400,
  SEND_FAST_ZERO: 0x800,
  BLOCK_STATUS_PAYLOAD: 0x1000,
} as const;

/** Requests of the transmission phase. */
export const Command = {
  READ: 0,
  WRITE: 1,
  DISC: 2,
  FLUSH: 3,
  TRIM: 4,
  CACHE: 5,
  WRITE_ZEROES: 6,
  BLOCK_STATUS: 7,
  RESIZE: 8,
} as const;

/** Flags of a request. */
export const CommandFlag = {
  FUA: 0x1,
  NO_HOLE: 0x2,
  DF: 0x4,
  REQ_ONE: 0x8,
  FAST_ZERO: 0x10,
  PAYLOAD_LEN: 0x20,
} as const;

/** Flags of a chunk. */
export const ChunkFlag = { DONE: 1 } as const;

/** Types of a chunk; errors have bit 15 set. */
export const Chunk = {
  NONE: 0,
  OFFSET_DATA: 1,
  OFFSET_HOLE: 2,
  BLOCK_STATUS: 5,
  BLOCK_STATUS_EXT: 6,
  ERROR: 0x8001,
  ERROR_OFFSET: 0x8002,
} as const;

/** Status bits of `base:allocation`. */
export const Allocation = { HOLE: 1, ZERO: 2 } as const;

/** The context that every client knows. */
export const BASE_ALLOCATION = "base:allocation";

/** Error numbers on the wire. */
export const ErrorNumber = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;
