// A file that is not what the format allows.

/** The text says where and why. */
export class FormatError extends Error {}
