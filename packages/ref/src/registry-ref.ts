import { type Digest, isDigest, type RegistryRef } from "@mote/core";
import { RefSyntaxError } from "./syntax-error.js";

export const DEFAULT_REGISTRY = "docker.io";
export const LIBRARY = "library/";
const LEGACY_REGISTRY = "index.docker.io";
const DEFAULT_TAG = "latest";
const maxRepositoryLength = 255;
const maxTagLength = 128;

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * Parses `[HOST[:PORT]/]NAME[:TAG][@DIGEST]` from `start` to the end of `text`. Docker's rule decides whether the first component is a host;
 * after `http://` or `https://` it always is.
 */
export function parseRegistryRef(text: string, start: number, scheme?: "http" | "https"): RegistryRef {
  if (start === text.length) throw new RefSyntaxError(start, "the name is missing");
  if (scheme === undefined) rejectDigest(text, start);
  const slash = text.indexOf("/", start);
  const hasHost = scheme !== undefined || (slash >= 0 && isHost(text.slice(start, slash)));
  if (!hasHost && isLowerHex(text.slice(start))) {
    throw new RefSyntaxError(start, "a name of 64 hexadecimal digits is ambiguous with an image id", [
      `${text.slice(0, start)}${DEFAULT_REGISTRY}/${LIBRARY}${text.slice(start)}`,
    ]);
  }
  const registry = hasHost ? parseRegistry(text, start, slash, scheme) : DEFAULT_REGISTRY;
  const nameStart = hasHost ? slash + 1 : start;
  const nameEnd = scanName(text, nameStart);
  const repository = withLibrary(registry, text.slice(nameStart, nameEnd));
  if (repository.length > maxRepositoryLength) {
    throw new RefSyntaxError(
      nameStart,
      `the name has ${repository.length} characters, and the limit is ${maxRepositoryLength}`,
    );
  }
  const ref: Writable<RegistryRef> = { transport: "docker", registry, repository };
  let at = nameEnd;
  if (text[at] === ":") {
    const tagEnd = scanTag(text, at + 1);
    ref.tag = text.slice(at + 1, tagEnd);
    at = tagEnd;
  }
  if (text[at] === "@") ref.digest = parseDigestSuffix(text, at);
  else if (ref.tag === undefined) ref.tag = DEFAULT_TAG;
  if (scheme !== undefined) ref.scheme = scheme;
  return ref;
}

/** Rejects a digest without a repository. A repository named `sha256` needs its host. */
function rejectDigest(text: string, start: number): void {
  const colon = text.indexOf(":", start);
  if (colon < 0 || !isAlgorithm(text.slice(start, colon)) || text.includes("/", colon)) return;
  // After docker://, the part after the colon may be a tag.
  if (start > 0 && !isDigest(text.slice(start))) return;
  throw new RefSyntaxError(start, "a digest must follow a repository, as in NAME@sha256:…");
}

export function isAlgorithm(name: string): boolean {
  return name === "sha256" || name === "sha384" || name === "sha512";
}

/** Returns whether the first component is a host: if it has a dot, a colon or an upper-case letter, or is `localhost`, as in Docker. */
export function isHost(name: string): boolean {
  return /[.:A-Z]/.test(name) || name === "localhost";
}

/** Returns whether a text is an image id without its algorithm. */
export function isLowerHex(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** Returns the end of the characters that a sticky pattern matches at `start`. It must not backtrack, so that a parser takes linear time. */
export function scan(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.test(text) ? pattern.lastIndex : start;
}

/** Parses the digest after the `@` at `at`. */
export function parseDigestSuffix(text: string, at: number): Digest {
  const digest = text.slice(at + 1);
  if (isDigest(digest)) return digest;
  const reason =
    digest === ""
      ? "the digest after the @ is missing"
      : "the @ must be followed by a digest: sha256, sha384 or sha512, a colon, and 64, 96 or 128 lower-case hexadecimal digits";
  throw new RefSyntaxError(at + 1, reason, [text.slice(0, at + 1) + digest.toLowerCase(), text.slice(0, at)]);
}

/** Returns the end of the tag that begins at `start`. */
export function scanTag(text: string, start: number): number {
  const at = scan(/[\w.-]*/y, text, start);
  const isEnd = at === text.length || text[at] === "@";
  if (at === start && isEnd) {
    const before = text.slice(0, start);
    const after = text.slice(start);
    throw new RefSyntaxError(start, "the tag after the colon is missing", [
      after === "" ? before + DEFAULT_TAG : before.slice(0, -1) + after,
    ]);
  }
  if (!isEnd) throw new RefSyntaxError(at, tagCharacters, [text.slice(0, at)]);
  if (!/\w/.test(text[start] ?? "")) throw new RefSyntaxError(start, "a tag must begin with a letter, a digit or _");
  if (at - start > maxTagLength) {
    throw new RefSyntaxError(
      start + maxTagLength,
      `the tag has ${at - start} characters, and the limit is ${maxTagLength}`,
    );
  }
  return at;
}

const tagCharacters = "a tag can have only letters, digits and _ . -";

function withLibrary(registry: string, name: string): string {
  return registry === DEFAULT_REGISTRY && !name.includes("/") ? LIBRARY + name : name;
}

function parseRegistry(text: string, start: number, slash: number, scheme: "http" | "https" | undefined): string {
  if (slash < 0) throw new RefSyntaxError(text.length, "the name after the registry is missing");
  const portColon = scanHost(text, start, slash);
  if (portColon < slash) checkPort(text, portColon + 1, slash);
  const registry = text.slice(start, slash);
  if (registry === LEGACY_REGISTRY) return DEFAULT_REGISTRY;
  // Without the scheme, this host would be parsed as part of the name; an explicit port prevents that.
  if (scheme !== undefined && !isHost(registry)) return `${registry}:${scheme === "http" ? 80 : 443}`;
  return registry;
}

/** Returns the end of the host that begins at `start`: `slash`, or the colon before its port. */
function scanHost(text: string, start: number, slash: number): number {
  if (text[start] === "[") return scanIpv6(text, start, slash);
  for (let labelStart = start; ; ) {
    const at = scan(/[A-Za-z0-9][A-Za-z0-9-]*/y, text, labelStart);
    const isLabel = at > labelStart && text[at - 1] !== "-";
    const sign = text[at] === ":" ? text.indexOf("@", at) : text[at] === "@" ? at : -1;
    if (sign >= 0 && sign < slash) throw credentials(text, start, slash, sign);
    if (!/[.:/-]/.test(text[at] ?? "")) throw new RefSyntaxError(at, hostCharacters);
    if (!isLabel) throw new RefSyntaxError(at, hostLabels);
    if (text[at] !== ".") return at;
    labelStart = at + 1;
  }
}

const hostCharacters = "the host of a registry can have only letters, digits, - and .";
const hostLabels = "each part of a registry's host must begin and end with a letter or digit";

function credentials(text: string, start: number, slash: number, at: number): RefSyntaxError {
  const host = text.lastIndexOf("@", slash) + 1;
  return new RefSyntaxError(at, "a reference cannot have credentials before an @; log in to the registry instead", [
    text.slice(0, start) + text.slice(host),
  ]);
}

/** Returns the end of an IPv6 address in brackets (RFC 5952), without a zone (RFC 6874) or an embedded IPv4 address. */
function scanIpv6(text: string, start: number, slash: number): number {
  let groups = 0;
  let isCompressed = false;
  let at = start + 1;
  for (;;) {
    const end = scan(/[0-9a-f]*/iy, text, at);
    if (end > at) groups++;
    if (end > at + 4) throw new RefSyntaxError(at + 4, "a group of an IPv6 address has at most 4 digits");
    const isDouble = text.startsWith("::", end);
    if (isDouble && isCompressed) throw new RefSyntaxError(end, "an IPv6 address can have :: only once");
    if (text[end] === ":" && !isDouble && (end === at || !/[0-9a-f]/i.test(text[end + 1] ?? "")))
      throw new RefSyntaxError(end, "a group of an IPv6 address is empty");
    isCompressed ||= isDouble;
    at = end;
    if (text[end] !== ":") break;
    at += isDouble ? 2 : 1;
  }
  if (text[at] === "%") throw new RefSyntaxError(at, "an IPv6 address in a reference cannot have a zone");
  if (text[at] !== "]")
    throw new RefSyntaxError(at, "an IPv6 address can have only hexadecimal digits and colons, and must end with ]");
  if (isCompressed ? groups > 7 : groups !== 8)
    throw new RefSyntaxError(start, "an IPv6 address must have 8 groups, or fewer and ::");
  const end = at + 1;
  if (end < slash && text[end] !== ":") throw new RefSyntaxError(end, "] must be followed by a port or a slash");
  return end;
}

function checkPort(text: string, start: number, slash: number): void {
  const end = scan(/\d*/y, text, start);
  const digits = text.slice(start, end);
  if (digits.startsWith("0") || Number(digits) > 65535)
    throw new RefSyntaxError(start, "a port must be a number from 1 to 65535 without leading zeros");
  if (end < slash) throw new RefSyntaxError(end, "the colon after a registry's host must be followed by a port number");
  if (digits === "") throw new RefSyntaxError(start, "the port after the colon is missing");
}

/** Returns the end of the name that begins at `start`: the colon of a tag, the @ of a digest, or the end. */
function scanName(text: string, start: number): number {
  for (let partStart = start; ; ) {
    const at = scan(/[a-z0-9]*/y, text, partStart);
    const next = text[at];
    const isEnd = next === undefined || next === ":" || next === "@";
    if (isEnd && at > partStart) return at;
    if (isEnd && at === start) throw new RefSyntaxError(at, "the name is missing");
    if (!isEnd && /[A-Z]/.test(next))
      throw new RefSyntaxError(at, "a name must be in lower case", [lowerCaseName(text, start)]);
    if (!isEnd && !/[./_-]/.test(next))
      throw new RefSyntaxError(at, "a name can have only lower-case letters, digits, and . _ - / between them");
    if (at === partStart) throw invalidPart(text, start, at);
    partStart = scan(/__|-+|[./_]/y, text, at);
  }
}

function invalidPart(text: string, start: number, at: number): RefSyntaxError {
  return new RefSyntaxError(
    at,
    "each part of a name must begin and end with a letter or digit, separated by . _ __ or dashes",
    at === start ? [] : [text.slice(0, at - 1) + text.slice(at)],
  );
}

function lowerCaseName(text: string, start: number): string {
  const end = scan(/[^:@]*/y, text, start);
  return text.slice(0, start) + text.slice(start, end).toLowerCase() + text.slice(end);
}
