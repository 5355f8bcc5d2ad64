import { type Digest, isDigest } from "./digest.js";
import { pathTransports } from "./ref.js";

/** A parsed repository name. */
export interface RepositoryName {
  /** The full name: `REGISTRY/PATH` or `PATH`. */
  readonly full: string;
  /** The host with an optional port. Undefined for a repository that is local to the cache. */
  readonly registry: string | undefined;
  /** The distribution specification's `<name>`. */
  readonly path: string;
}

/** A parsed image name. It has a tag, a digest or both. */
export interface ImageName {
  readonly repository: RepositoryName;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const maxPathLength = 255;
const maxNameLength = 4096;
/** distribution-spec, "Pulling manifests": `<name>`. */
const pathGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagGrammar = /^\w[\w.-]{0,127}$/;
const hostGrammar = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;
/** Names that begin with these transports are local. */
const localTransports = new RegExp(`^(?:${pathTransports.join("|")}):`);

/** Returns whether the text is a valid `<name>` of the distribution specification. */
export function isRepositoryPath(text: string): boolean {
  return text.length <= maxPathLength && pathGrammar.test(text);
}

/** Returns whether the text is a valid tag of the distribution specification. */
export function isTagName(text: string): boolean {
  return tagGrammar.test(text);
}

/**
 * Parses a repository name as Docker does: the first component is a registry if it has a dot, a colon or an upper-case letter, or is
 * `localhost`. Returns undefined for an invalid name.
 */
export function parseRepositoryName(full: string): RepositoryName | undefined {
  if (full.length > maxNameLength || localTransports.test(full)) return undefined;
  const slash = full.indexOf("/");
  const first = full.slice(0, Math.max(0, slash));
  const hasRegistry = /[.:A-Z]/.test(first) || first === "localhost";
  const path = hasRegistry ? full.slice(slash + 1) : full;
  if (!isRepositoryPath(path) || (hasRegistry && !hostGrammar.test(first))) return undefined;
  return { full, registry: hasRegistry ? first : undefined, path };
}

/** Parses a name of the form `[REGISTRY/]PATH[:TAG][@DIGEST]`. Returns undefined for other names, such as those of layouts and archives. */
export function parseImageName(name: string): ImageName | undefined {
  if (name.length > maxNameLength || localTransports.test(name) || isDigest(name)) return undefined;
  const at = name.indexOf("@");
  const digest = at < 0 ? undefined : name.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) return undefined;
  const rest = at < 0 ? name : name.slice(0, at);
  const colon = rest.lastIndexOf(":");
  const tag = colon > rest.lastIndexOf("/") ? rest.slice(colon + 1) : undefined;
  if (tag === undefined ? digest === undefined : !isTagName(tag)) return undefined;
  const repository = parseRepositoryName(tag === undefined ? rest : rest.slice(0, colon));
  return repository && { repository, tag, digest };
}
