/** Returns the name that was probably meant, by edit distance with transpositions. Undefined if none is close. */
export function nearest(text: string, names: Iterable<string>): string | undefined {
  let best: { name: string; distance: number } | undefined;
  for (const name of names) {
    const begins = text.length >= 2 && name.startsWith(text);
    const distance = begins ? 1 : editDistance(text, name);
    const isNear = distance <= Math.max(1, Math.floor(Math.max(text.length, name.length) * 0.4));
    if (isNear && (best === undefined || distance < best.distance)) best = { name, distance };
  }
  return best?.name;
}

/** Returns `; did you mean NAME?`, or an empty string. */
export function suggestion(text: string, names: Iterable<string>): string {
  const name = nearest(text, names);
  return name === undefined ? "" : `; did you mean ${name}?`;
}

function editDistance(one: string, other: string): number {
  let [before, row]: [number[], number[]] = [[], Array.from({ length: other.length + 1 }, (_unused, at) => at)];
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1];
      let cost = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) {
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      }
      next.push(cost);
    }
    [before, row] = [row, next];
  }
  return row[other.length] ?? 0;
}
