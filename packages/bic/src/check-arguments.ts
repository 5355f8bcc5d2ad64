const maxTextLength = 1024 * 1024;

/** @throws TypeError */
export function checkText(text: string): string {
  if (typeof text !== "string") throw new TypeError(`expected a string, got ${typeof text}`);
  if (text.length > maxTextLength)
    throw new TypeError(`a string of ${text.length} characters is too long; at most ${maxTextLength} are allowed`);
  return text;
}

/** Returns the bound, by default infinity. @throws TypeError */
export function checkBound(name: string, bound: number | undefined): number {
  if (bound === undefined) return Number.POSITIVE_INFINITY;
  if (typeof bound !== "number" || Number.isNaN(bound) || bound < 0) {
    throw new TypeError(`${name} is ${bound}, but must be a number of 0 or more`);
  }
  return bound;
}
