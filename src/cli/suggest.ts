// "Did you mean …?" for names that were mistyped.

/**
 * Finds the known name that a mistyped one is nearest to.
 *
 * @returns `undefined` where none is near enough to be worth a guess
 * @example
 * ```ts
 * nearest("memroy", ["memory", "file"]); // "memory"
 * ```
 */
export function nearest(typed: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(typed.length / 3)) + 1;
  for (const name of known) {
    const far = distance(typed.toLowerCase(), name.toLowerCase());
    if (far < bestDistance) {
      best = name;
      bestDistance = far;
    }
  }
  return best;
}

/** `": did you mean NAME?"`, or nothing. */
export function didYouMean(typed: string, known: Iterable<string>, show: (name: string) => string = (name) => name): string {
  const name = nearest(typed, known);
  return name === undefined ? "" : `: did you mean ${show(name)}?`;
}

/** How many letters have to be added, dropped, changed or swapped with their neighbour. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, (last[j - 1] as number) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (beforeLast[j - 2] as number) + 1);
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] as number;
}
