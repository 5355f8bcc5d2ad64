import { isDigest, type PathRef, type PathTransport } from "@mote/core";
import {
  AT,
  BACKSLASH,
  COLON,
  isAlphanumeric,
  isControl,
  isDigit,
  isHex,
  isTagCharacter,
  isUpper,
  isWord,
  SLASH,
} from "./char-class.js";
import { readDigest, readRegistryRef, scanTag } from "./registry-ref.js";
import { RefSyntaxError } from "./syntax-error.js";

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What `~` at the front of a path stands for; it stays where this is not given. */
export type Home = string | undefined;

/** `PATH[:NAME | :@INDEX][@DIGEST]`, from `start` to the end. `NAME` is what the transport makes of it. */
export function readLayoutRef(
  text: string,
  start: number,
  transport: "oci" | "oci-archive" | "docker-archive" | "ocidir",
  home: Home,
): PathRef {
  const digestAt = digestStart(text, start);
  const end = digestAt < 0 ? text.length : digestAt;
  const colon = nameColon(text, start, end);
  const pathEnd = colon < 0 ? end : colon;
  const ref: Writable<PathRef> = { transport, path: readPath(text, start, pathEnd, home) };
  if (transport !== "ocidir") refuseAuthority(text, start, transport);
  if (home !== undefined && nameColon(ref.path, 0, ref.path.length) >= 0) {
    throw new RefSyntaxError(start, "the home folder's path has a colon, and what follows a colon is a name");
  }
  if (digestAt >= 0) ref.digest = readDigest(text, digestAt);
  if (colon < 0) return ref;
  if (colon + 1 === end) {
    throw new RefSyntaxError(end, "there is no name after the colon", [
      `${text.slice(0, colon)}:latest${text.slice(end)}`,
    ]);
  }
  if (text.charCodeAt(colon + 1) === AT) ref.index = readIndex(text, colon + 2, end);
  else if (transport === "docker-archive") ref.tag = readArchiveName(text, colon + 1);
  else if (transport === "ocidir") ref.tag = text.slice(colon + 1, scanTag(text, colon + 1));
  else ref.tag = readRefName(text, colon + 1, end);
  return ref;
}

/** The whole rest is a path. */
export function readPlainPath(text: string, start: number, transport: "dir" | "tarball", home: Home): PathRef {
  refuseAuthority(text, start, transport);
  return { transport, path: readPath(text, start, text.length, home) };
}

/** A Docker reference, or an image id `sha256:…`, whose path is empty. */
export function readDaemonRef(text: string, start: number): PathRef {
  const id = text.slice(start);
  if (isDigest(id)) return { transport: "docker-daemon", path: "", digest: id };
  if (id.startsWith("sha256:")) throw new RefSyntaxError(start + 7, "an image id is 64 lower-case hexadecimal digits");
  return namedImage("docker-daemon", text, start, "");
}

/** `[STORAGE]` in front where another store is meant, then a Docker reference, an image id, or both. */
export function readStorageRef(text: string, start: number): PathRef {
  let nameStart = start;
  if (text[start] === "[") {
    nameStart = text.indexOf("]", start) + 1;
    if (nameStart === 0) throw new RefSyntaxError(text.length, "the storage in brackets has no ]");
  }
  const storage = text.slice(start, nameStart);
  for (let at = start; at < nameStart; at++) refuseControl(text, at);
  const idLength = 64;
  const idStart = text.length - idLength;
  const hasId = idStart >= nameStart && isLowerHex(text, idStart, text.length);
  if (hasId && (idStart === nameStart || text.charCodeAt(idStart - 1) === AT)) {
    const id = `@${text.slice(idStart)}`;
    if (idStart - nameStart <= 1) return { transport: "containers-storage", path: storage + id };
    const named = namedImage("containers-storage", text.slice(0, idStart - 1), nameStart, storage);
    const tag = named.tag === undefined ? "" : `:${named.tag}`;
    const digest = named.digest === undefined ? "" : `@${named.digest}`;
    return { transport: "containers-storage", path: named.path + tag + digest + id };
  }
  return namedImage("containers-storage", text, nameStart, storage);
}

/** `ALGORITHM/HEX`. */
export function readHashRef(text: string, start: number): PathRef {
  const path = text.slice(start);
  const digest = path.replace("/", ":");
  if (isDigest(digest)) return { transport: "hash", path, digest };
  throw new RefSyntaxError(start, "after hash:// comes sha256, sha384 or sha512, a slash, and its hexadecimal digits", [
    text.slice(0, start) + path.toLowerCase(),
  ]);
}

function namedImage(transport: PathTransport, text: string, start: number, before: string): PathRef {
  const { registry, repository, tag, digest } = readRegistryRef(text, start);
  const ref: Writable<PathRef> = { transport, path: `${before}${registry}/${repository}` };
  if (tag !== undefined) ref.tag = tag;
  if (digest !== undefined) ref.digest = digest;
  return ref;
}

/** Where the `@` of a digest at the end is, or -1. An `@` before anything else belongs to the path or the name. */
function digestStart(text: string, start: number): number {
  const at = text.lastIndexOf("@");
  if (at < start) return -1;
  const isDigestLike = ["sha256:", "sha384:", "sha512:"].some((algorithm) => text.startsWith(algorithm, at + 1));
  return isDigestLike ? at : -1;
}

/** The first colon, as skopeo has it, but for that of a Windows drive: a name may have colons, a path before one may not. */
function nameColon(text: string, start: number, end: number): number {
  const afterDrive = text.charCodeAt(start + 2);
  const hasDrive =
    text.charCodeAt(start + 1) === COLON &&
    (afterDrive === BACKSLASH || afterDrive === SLASH) &&
    isAlphanumeric(text.charCodeAt(start)) &&
    !isDigit(text.charCodeAt(start));
  const colon = text.indexOf(":", hasDrive ? start + 2 : start);
  return colon < end ? colon : -1;
}

function readPath(text: string, start: number, end: number, home: Home): string {
  if (start === end) throw new RefSyntaxError(start, "there is no path");
  for (let at = start; at < end; at++) refuseControl(text, at);
  const path = text.slice(start, end);
  const isHome = path === "~" || path.startsWith("~/") || path.startsWith("~\\");
  return isHome && home !== undefined ? home + path.slice(1) : path;
}

function refuseControl(text: string, at: number): void {
  if (isControl(text.charCodeAt(at))) throw new RefSyntaxError(at, "a path has no control characters");
}

/** `oci://host/name`, as Helm writes it, is a registry there and would be a path here. Three slashes are a path. */
function refuseAuthority(text: string, start: number, transport: string): void {
  if (!text.startsWith("//", start) || text.charCodeAt(start + 2) === SLASH) return;
  const rest = text.slice(start + 2);
  const guesses = [`docker://${rest}`, `${transport}:/${rest}`];
  throw new RefSyntaxError(
    start,
    `after ${transport}: comes a path, and // would name a host`,
    transport === "oci" ? guesses : guesses.reverse(),
  );
}

function readIndex(text: string, start: number, end: number): number {
  const reason = "after :@ comes the number of an image, counted from 0";
  if (start === end) throw new RefSyntaxError(start, reason, [`${text.slice(0, start)}0${text.slice(end)}`]);
  for (let at = start; at < end; at++) if (!isDigit(text.charCodeAt(at))) throw new RefSyntaxError(at, reason);
  const index = Number(text.slice(start, end));
  if (!Number.isSafeInteger(index)) throw new RefSyntaxError(start, "the number after :@ is too large");
  return index;
}

/** A Docker reference, written out; without its digest, which is the image's own. */
function readArchiveName(text: string, start: number): string {
  const { registry, repository, tag } = readRegistryRef(text, start);
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}`;
}

/**
 * The value of `org.opencontainers.image.ref.name` (image-spec, annotations.md), read more freely than its grammar, for there
 * are layouts whose names are Docker tags that the grammar leaves out, such as `v1__2`.
 */
function readRefName(text: string, start: number, end: number): string {
  let isFirst = true;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    const isRefNameCharacter =
      isTagCharacter(code) || code === COLON || code === AT || code === SLASH || text[at] === "+";
    if (!isRefNameCharacter) throw new RefSyntaxError(at, "a name has letters, digits and - . _ : @ + / only");
    if (isFirst && !isWord(code))
      throw new RefSyntaxError(at, "each part of a name begins with a letter, a digit or _");
    isFirst = code === SLASH;
  }
  if (isFirst)
    throw new RefSyntaxError(end, "a name does not end with a slash", [text.slice(0, end - 1) + text.slice(end)]);
  return text.slice(start, end);
}

function isLowerHex(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (!isHex(code) || isUpper(code)) return false;
  }
  return true;
}
