// An error in what was typed, as opposed to one in what it started.

/** The command line cannot be understood; its text is followed by where to read on. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
