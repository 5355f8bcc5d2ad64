import { glob } from "./glob.js";

/**
 * Returns a filter of tags or names by globs, in any order. It selects what matches one of them, or anything if there are none without
 * `!`, and nothing that matches one after a `!`. A `*` also matches slashes. For the syntax see `glob`.
 */
export function tagFilter(patterns: readonly string[]): (tag: string) => boolean {
  const matcher = (pattern: string) => glob(pattern, { acrossSlashes: true });
  const excluded = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => matcher(pattern.slice(1)));
  const selected = patterns.filter((pattern) => !pattern.startsWith("!")).map(matcher);
  return (tag) =>
    (selected.length === 0 || selected.some((matches) => matches(tag))) && !excluded.some((matches) => matches(tag));
}
