import { type Digest, isDigest } from "./digest.js";
import { pathTransports } from "./ref.js";

/** A repository's name taken apart. */
export interface RepositoryName {
  /** The name in full: `REGISTRY/PATH`, or `PATH` alone. */
  readonly full: string;
  /** Host, and port where there is one. Undefined for a repository of the cache itself, which no registry has. */
  readonly registry: string | undefined;
  /** The distribution specification's `<name>`. */
  readonly path: string;
}

/** What a name in a tag store says of a repository. At least one of tag and digest is there. */
export interface ImageName {
  readonly repository: RepositoryName;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const longestPath = 255;
const longestName = 4096;
/** distribution-spec, "Pulling manifests": `<name>`. */
const pathGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagGrammar = /^\w[\w.-]{0,127}$/;
const hostGrammar = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;
/** With a colon after them, these are read as transports of the file system: what follows is local, whatever it looks like. */
const localTransports = new RegExp(`^(?:${pathTransports.join("|")}):`);

/** Whether the text is a repository's name on a registry: the distribution specification's `<name>`. */
export function isRepositoryPath(text: string): boolean {
  return text.length <= longestPath && pathGrammar.test(text);
}

/** Whether the text is a tag by the distribution specification. */
export function isTagName(text: string): boolean {
  return tagGrammar.test(text);
}

/**
 * Splits a repository's name where Docker does: the first component is a registry if it has a dot, a colon or an upper-case letter,
 * or is `localhost`. Undefined where the text is not a repository's name.
 */
export function parseRepositoryName(full: string): RepositoryName | undefined {
  if (full.length > longestName || localTransports.test(full)) return undefined;
  const slash = full.indexOf("/");
  const first = full.slice(0, Math.max(0, slash));
  const hasRegistry = /[.:A-Z]/.test(first) || first === "localhost";
  const path = hasRegistry ? full.slice(slash + 1) : full;
  if (!isRepositoryPath(path) || (hasRegistry && !hostGrammar.test(first))) return undefined;
  return { full, registry: hasRegistry ? first : undefined, path };
}

/**
 * Reads a name of a tag store as `[REGISTRY/]PATH[:TAG][@DIGEST]`. Undefined for every other name: a layout, an archive or a folder
 * (`oci:/home/x/build:1`) is local, and no repository has it.
 */
export function parseImageName(name: string): ImageName | undefined {
  if (name.length > longestName || localTransports.test(name) || isDigest(name)) return undefined;
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
