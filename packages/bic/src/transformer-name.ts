// A transformer's name is a base (`zstd`), or a base and a variant that every reader of the base can read (`zstd:chunked`).

/** Returns the base of a transformer's name. */
export function transformerBase(name: string): string {
  const colon = name.indexOf(":");
  return colon < 0 ? name : name.slice(0, colon);
}

/** Returns whether content made by the transformer `name` can be used where `required` is required. */
export function transformerSatisfies(name: string, required: string): boolean {
  return name === required || transformerBase(name) === required;
}

/** Returns the name after both were recorded. A base does not replace a known variant of it. */
export function mergeTransformerNames(earlier: string, later: string): string {
  return transformerSatisfies(earlier, later) ? earlier : later;
}
