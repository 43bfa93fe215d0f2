// The time of day with microseconds, for timestamps.

/** When the clock that has fractions began, by the clock that people set. */
let start = performance.timeOrigin;

/** Milliseconds since 1970, with fractions. Follows the machine's clock when that is set, or has slept. */
export function wallTime(): number {
  const coarse = Date.now();
  const fine = start + performance.now();
  if (Math.abs(fine - coarse) < TOLERANCE) return fine;
  start += coarse - fine;
  return coarse;
}

/** Milliseconds by which the two clocks may differ. */
const TOLERANCE = 20;
