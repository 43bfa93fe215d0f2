// What a request may ask for beside its range. The flags are shared frozen objects: passing them on costs nothing.

/** How a write or trim is to be done. */
export interface WriteFlags {
  /** Force unit access: the bytes are on stable storage before the request is answered. */
  readonly fua: boolean;
}

/** How a range is to be zeroed. */
export interface ZeroFlags extends WriteFlags {
  /** The range must stay allocated: later writes to it must not run out of space. */
  readonly noHole: boolean;
  /** Fail with ENOTSUP at once if zeroing is no faster than writing zeroes. */
  readonly fastZero: boolean;
}

/** How extents are to be listed. */
export interface ExtentFlags {
  /** Only the extent at the start of the range is asked for. */
  readonly reqOne: boolean;
}

const write: readonly WriteFlags[] = [false, true].map((fua) => Object.freeze({ fua }));
const zero: readonly ZeroFlags[] = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) =>
  Object.freeze({ fua: (bits & 1) !== 0, noHole: (bits & 2) !== 0, fastZero: (bits & 4) !== 0 }),
);
const extent: readonly ExtentFlags[] = [false, true].map((reqOne) => Object.freeze({ reqOne }));

/** The shared {@link WriteFlags} object with this setting. */
export function writeFlags(fua: boolean): WriteFlags {
  return write[fua ? 1 : 0] as WriteFlags;
}

/** The shared {@link ZeroFlags} object with these settings. */
export function zeroFlags(fua: boolean, noHole: boolean, fastZero: boolean): ZeroFlags {
  return zero[(fua ? 1 : 0) | (noHole ? 2 : 0) | (fastZero ? 4 : 0)] as ZeroFlags;
}

/** The shared {@link ExtentFlags} object with this setting. */
export function extentFlags(reqOne: boolean): ExtentFlags {
  return extent[reqOne ? 1 : 0] as ExtentFlags;
}
