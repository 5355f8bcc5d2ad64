import { isDigest, type PathRef, type PathTransport } from "@mote/core";
import { isLowerHex, parseDigestSuffix, parseRegistryRef, scan, scanTag } from "./registry-ref.js";
import { RefSyntaxError } from "./syntax-error.js";

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Replaces a leading `~` of a path, if given. */
export type Home = string | undefined;

/** Parses `PATH[:NAME | :@INDEX][@DIGEST]`. The syntax of `NAME` depends on the transport. */
export function parseLayoutRef(
  text: string,
  start: number,
  transport: "oci" | "oci-archive" | "docker-archive" | "ocidir",
  home: Home,
): PathRef {
  const digestAt = digestStart(text, start);
  const end = digestAt < 0 ? text.length : digestAt;
  const colon = nameColon(text, start, end);
  const pathEnd = colon < 0 ? end : colon;
  const ref: Writable<PathRef> = { transport, path: parsePath(text, start, pathEnd, home) };
  if (transport !== "ocidir") rejectAuthority(text, start, transport);
  if (home !== undefined && nameColon(ref.path, 0, ref.path.length) >= 0) {
    throw new RefSyntaxError(start, "the path of the home folder has a colon, which would start a name");
  }
  if (digestAt >= 0) ref.digest = parseDigestSuffix(text, digestAt);
  if (colon < 0) return ref;
  if (colon + 1 === end) {
    throw new RefSyntaxError(end, "the name after the colon is missing", [
      `${text.slice(0, colon)}:latest${text.slice(end)}`,
    ]);
  }
  if (text[colon + 1] === "@") ref.index = parseIndex(text, colon + 2, end);
  else if (transport === "docker-archive") ref.tag = parseArchiveName(text, colon + 1);
  else if (transport === "ocidir") ref.tag = text.slice(colon + 1, scanTag(text, colon + 1));
  else ref.tag = parseRefName(text, colon + 1, end);
  return ref;
}

export function parsePathRef(text: string, start: number, transport: "dir" | "tarball", home: Home): PathRef {
  rejectAuthority(text, start, transport);
  return { transport, path: parsePath(text, start, text.length, home) };
}

/** Parses a Docker reference, or an image id `sha256:…`, which has an empty path. */
export function parseDaemonRef(text: string, start: number): PathRef {
  const id = text.slice(start);
  if (isDigest(id)) return { transport: "docker-daemon", path: "", digest: id };
  if (id.startsWith("sha256:")) throw new RefSyntaxError(start + 7, "an image id has 64 lower-case hexadecimal digits");
  return namedImage("docker-daemon", text, start, "");
}

/** Parses an optional `[STORAGE]`, then a Docker reference, an image id, or both. */
export function parseStorageRef(text: string, start: number): PathRef {
  let nameStart = start;
  if (text[start] === "[") {
    nameStart = text.indexOf("]", start) + 1;
    if (nameStart === 0) throw new RefSyntaxError(text.length, "the closing ] of the storage is missing");
  }
  const storage = text.slice(start, nameStart);
  for (let at = start; at < nameStart; at++) rejectControlCharacter(text, at);
  const idLength = 64;
  const idStart = text.length - idLength;
  const hasId = idStart >= nameStart && isLowerHex(text.slice(idStart));
  if (hasId && (idStart === nameStart || text[idStart - 1] === "@")) {
    const id = `@${text.slice(idStart)}`;
    if (idStart - nameStart <= 1) return { transport: "containers-storage", path: storage + id };
    const named = namedImage("containers-storage", text.slice(0, idStart - 1), nameStart, storage);
    const tag = named.tag === undefined ? "" : `:${named.tag}`;
    const digest = named.digest === undefined ? "" : `@${named.digest}`;
    return { transport: "containers-storage", path: named.path + tag + digest + id };
  }
  return namedImage("containers-storage", text, nameStart, storage);
}

/** Parses `ALGORITHM/HEX`. */
export function parseHashRef(text: string, start: number): PathRef {
  const path = text.slice(start);
  const digest = path.replace("/", ":");
  if (isDigest(digest)) return { transport: "hash", path, digest };
  throw new RefSyntaxError(
    start,
    "hash:// must be followed by sha256, sha384 or sha512, a slash, and the hexadecimal digits",
    [text.slice(0, start) + path.toLowerCase()],
  );
}

function namedImage(transport: PathTransport, text: string, start: number, before: string): PathRef {
  const { registry, repository, tag, digest } = parseRegistryRef(text, start);
  const ref: Writable<PathRef> = { transport, path: `${before}${registry}/${repository}` };
  if (tag !== undefined) ref.tag = tag;
  if (digest !== undefined) ref.digest = digest;
  return ref;
}

/** Returns the position of the `@` before a digest at the end, or -1. Any other `@` belongs to the path or name. */
function digestStart(text: string, start: number): number {
  const at = text.lastIndexOf("@");
  if (at < start) return -1;
  const isDigestLike = ["sha256:", "sha384:", "sha512:"].some((algorithm) => text.startsWith(algorithm, at + 1));
  return isDigestLike ? at : -1;
}

/** Returns the index of the first colon that is not part of a Windows drive, as in skopeo, or -1. Paths may not contain colons. */
function nameColon(text: string, start: number, end: number): number {
  const hasDrive = /^[A-Za-z]:[\\/]/.test(text.slice(start, start + 3));
  const colon = text.indexOf(":", hasDrive ? start + 2 : start);
  return colon < end ? colon : -1;
}

function parsePath(text: string, start: number, end: number, home: Home): string {
  if (start === end) throw new RefSyntaxError(start, "the path is missing");
  for (let at = start; at < end; at++) rejectControlCharacter(text, at);
  const path = text.slice(start, end);
  const isHome = path === "~" || path.startsWith("~/") || path.startsWith("~\\");
  return isHome && home !== undefined ? home + path.slice(1) : path;
}

function rejectControlCharacter(text: string, at: number): void {
  const code = text.charCodeAt(at);
  if (code < 0x20 || code === 0x7f) throw new RefSyntaxError(at, "a path cannot have control characters");
}

/** Rejects `oci://host/name`, which in Helm is a registry. A path may begin with three slashes. */
function rejectAuthority(text: string, start: number, transport: string): void {
  if (!text.startsWith("//", start) || text[start + 2] === "/") return;
  const rest = text.slice(start + 2);
  const guesses = [`docker://${rest}`, `${transport}:/${rest}`];
  throw new RefSyntaxError(
    start,
    `${transport}: must be followed by a path, not by a host`,
    transport === "oci" ? guesses : guesses.reverse(),
  );
}

function parseIndex(text: string, start: number, end: number): number {
  const reason = ":@ must be followed by the position of an image, counted from 0";
  if (start === end) throw new RefSyntaxError(start, reason, [`${text.slice(0, start)}0${text.slice(end)}`]);
  const digitsEnd = scan(/\d*/y, text, start);
  if (digitsEnd < end) throw new RefSyntaxError(digitsEnd, reason);
  const index = Number(text.slice(start, end));
  if (!Number.isSafeInteger(index)) throw new RefSyntaxError(start, "the number after :@ is too large");
  return index;
}

/** Parses a Docker reference and returns its normalized text without the digest. */
function parseArchiveName(text: string, start: number): string {
  const { registry, repository, tag } = parseRegistryRef(text, start);
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}`;
}

/**
 * Parses a value of `org.opencontainers.image.ref.name` (image-spec, annotations.md). More is accepted than its grammar allows, because layouts
 * contain names such as the Docker tag `v1__2`.
 */
function parseRefName(text: string, start: number, end: number): string {
  let isFirst = true;
  for (let at = start; at < end; at++) {
    const character = text[at] ?? "";
    if (!/[\w.:@+/-]/.test(character))
      throw new RefSyntaxError(at, "a name can have only letters, digits and - . _ : @ + /");
    if (isFirst && !/\w/.test(character))
      throw new RefSyntaxError(at, "each part of a name must begin with a letter, a digit or _");
    isFirst = character === "/";
  }
  if (isFirst)
    throw new RefSyntaxError(end, "a name cannot end with a slash", [text.slice(0, end - 1) + text.slice(end)]);
  return text.slice(start, end);
}
