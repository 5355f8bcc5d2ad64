import {
  type Digest,
  isDigest,
  type ImageName as ParsedName,
  parseImageName,
  parseRepositoryName,
  type RegistryRef,
} from "@mote/core";
import { invalidReference } from "../references/invalid-reference.js";

/** The name of an image at the destination. */
export interface ImageName {
  /** In a layout or an archive: a full reference without its scheme, or whatever the source calls it. Its digest if it has no name. */
  readonly full: string;
  /** Below a registry. Undefined if the name contains none. */
  readonly repository: string | undefined;
  /** Undefined if it has only a digest. */
  readonly tag: string | undefined;
}

/** Returns the name of a registry's image: its registry, repository and tag. */
export function nameOfImage({ registry, repository, tag, digest }: RegistryRef): ImageName {
  const selector = tag === undefined && digest !== undefined ? `@${digest}` : `:${tag ?? "latest"}`;
  return {
    full: `${registry}/${repository}${selector}`,
    repository,
    tag: selector.startsWith(":") ? selector.slice(1) : undefined,
  };
}

/** Returns the name of an entry of a layout or an archive. A name without a slash and a colon is a tag. */
export function nameOfEntry(name: string | undefined, digest: Digest): ImageName {
  if (name === undefined || isDigest(name)) return { full: digest, repository: undefined, tag: undefined };
  if (!/[/:]/.test(name)) return { full: name, repository: undefined, tag: name };
  const parsed = parseName(name);
  // A registry rejects a name that is not valid there.
  if (parsed === undefined) return { full: name, repository: undefined, tag: undefined };
  const { repository, tag, digest: own } = parsed;
  return { full: name, repository: repository.path, tag: tag ?? (own === undefined ? "latest" : undefined) };
}

/** Parses a name from a list or a rule: `[HOST/]REPOSITORY[:TAG]`. The tag defaults to that of the source. @throws MOTE_INVALID_REFERENCE */
export function readName(text: string, { tag, full }: ImageName): ImageName {
  const parsed = parseName(text);
  if (parsed === undefined || parsed.digest !== undefined) {
    const message = `"${text.slice(0, 160)}" is not a valid name; write REPOSITORY:TAG`;
    throw invalidReference(text, message, "not a name");
  }
  const { repository, tag: own } = parsed;
  const wanted = hasTag(text) ? own : tag;
  const digest = /@(.*)$/.exec(full)?.[1];
  const selector = wanted === undefined ? (digest === undefined ? "" : `@${digest}`) : `:${wanted}`;
  return { full: `${repository.full}${selector}`, repository: repository.path, tag: wanted };
}

/** Replaces the beginning of a name by the longest rule that matches whole components of it. @throws MOTE_INVALID_REFERENCE */
export function renamed(name: ImageName, rules: Readonly<Record<string, string>>): ImageName {
  const { full } = name;
  const prefixes = Object.keys(rules).map((prefix) => prefix.replace(/\/+$/, ""));
  const matching = prefixes.filter((prefix) => full.startsWith(prefix) && /^[/:@]/.test(full.slice(prefix.length)));
  const longest = matching.sort((a, b) => b.length - a.length)[0];
  if (longest === undefined) return name;
  const rest = full.slice(longest.length);
  const target = (rules[longest] ?? rules[`${longest}/`] ?? "").replace(/\/+$/, "");
  return readName((target === "" ? rest.replace(/^\//, "") : target + rest).replace(/@.*$/, ""), name);
}

function parseName(text: string): (Omit<ParsedName, "digest"> & Partial<Pick<ParsedName, "digest">>) | undefined {
  const repository = parseRepositoryName(text);
  return parseImageName(text) ?? (repository && { repository, tag: undefined });
}

function hasTag(text: string): boolean {
  return text.lastIndexOf(":") > text.lastIndexOf("/");
}
