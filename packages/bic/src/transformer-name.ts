/** A transformer's name is a base (`zstd`), or a base and a variant of it that every reader of the base can read (`zstd:chunked`). */
export function transformerBase(name: string): string {
  const colon = name.indexOf(":");
  return colon < 0 ? name : name.slice(0, colon);
}

/** Whether content made by `name` serves where `wanted` is asked for. */
export function transformerSatisfies(name: string, wanted: string): boolean {
  return name === wanted || transformerBase(name) === wanted;
}

/** What is known after both were recorded, `later` after `earlier`: a base alone does not take away a known variant of it. */
export function mergeTransformerNames(earlier: string, later: string): string {
  return transformerSatisfies(earlier, later) ? earlier : later;
}
