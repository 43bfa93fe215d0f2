// Errors with a code that the other end of the wire understands.

const brand = Symbol.for("diskwright.error");

/**
 * An error whose text is safe to show to the client. Any thrown value with a `code` works; this one also says where on the disk.
 *
 * @example
 * ```ts
 * throw new DiskError("EIO", "sector 17 cannot be read", { offset: 17n * 512n });
 * ```
 */
export class DiskError extends Error {
  /** What went wrong, in the words of errno: `EIO`, `EINVAL`, `ENOSPC`, `EPERM`, `ENOTSUP`, `ESHUTDOWN`, `EOVERFLOW`, `ENOMEM` … */
  readonly code: string;
  /** The byte of the disk at which it went wrong. */
  declare readonly offset: bigint | undefined;

  constructor(code: string, message: string, options: DiskErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "DiskError";
    this.code = code;
    // Printed errors are not to say that there is none.
    if (options.offset !== undefined) this.offset = options.offset;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Tells whether `value` is a DiskError, also one that another copy of this package made. */
  static is(value: unknown): value is DiskError {
    return typeof value === "object" && value !== null && brand in value;
  }
}

/** What a {@link DiskError} can say beside its code and text. */
export interface DiskErrorOptions {
  /** The byte of the disk at which it went wrong. */
  readonly offset?: bigint;
  /** The error behind this one. */
  readonly cause?: unknown;
}

/** The `code` of anything thrown; `EIO` where it has none. */
export function errorCode(error: unknown): string {
  const code = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" ? code : "EIO";
}

/** The text of anything thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
