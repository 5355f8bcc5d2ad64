/** Returns a matcher. A pattern with `*` or `?` matches the complete name or the part after a slash; any other is a substring. */
export function namePattern(pattern: string): (name: string) => boolean {
  if (!/[*?]/.test(pattern)) return (name) => name.includes(pattern);
  return (name) => fits(pattern, name) || fits(`*/${pattern}`, name);
}

// Only the last `*` is retried, so the time is bounded by the product of the two lengths.
function fits(pattern: string, name: string): boolean {
  let [at, position] = [0, 0];
  let star: { readonly at: number; position: number } | undefined;
  while (position < name.length) {
    if (pattern[at] === "*") star = { at: ++at, position };
    else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === name[position])) {
      at++;
      position++;
    } else if (star !== undefined) {
      at = star.at;
      position = ++star.position;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
