import { type Digest, isDigest, type RegistryRef } from "@mote/core";
import {
  AT,
  BRACKET,
  COLON,
  DASH,
  DOT,
  isAlphanumeric,
  isDigit,
  isHex,
  isLowerOrDigit,
  isTagCharacter,
  isUpper,
  isWord,
  SLASH,
  UNDERSCORE,
} from "./char-class.js";
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
  const hasHost = scheme !== undefined || (slash >= 0 && isHost(text, start, slash));
  if (!hasHost && isBareHex(text, start)) {
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
  if (text.charCodeAt(at) === COLON) {
    const tagEnd = scanTag(text, at + 1);
    ref.tag = text.slice(at + 1, tagEnd);
    at = tagEnd;
  }
  if (text.charCodeAt(at) === AT) ref.digest = parseDigestSuffix(text, at);
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
export function isHost(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT || code === COLON || isUpper(code)) return true;
  }
  return end - start === 9 && text.startsWith("localhost", start);
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
  let at = start;
  while (at < text.length && isTagCharacter(text.charCodeAt(at))) at++;
  const next = text.charCodeAt(at);
  if (at === start && (at === text.length || next === AT)) {
    const before = text.slice(0, start);
    const after = text.slice(start);
    throw new RefSyntaxError(start, "the tag after the colon is missing", [
      after === "" ? before + DEFAULT_TAG : before.slice(0, -1) + after,
    ]);
  }
  if (at < text.length && next !== AT) throw new RefSyntaxError(at, tagCharacters, [text.slice(0, at)]);
  if (!isWord(text.charCodeAt(start))) throw new RefSyntaxError(start, "a tag must begin with a letter, a digit or _");
  if (at - start > maxTagLength) {
    throw new RefSyntaxError(
      start + maxTagLength,
      `the tag has ${at - start} characters, and the limit is ${maxTagLength}`,
    );
  }
  return at;
}

const tagCharacters = "a tag can have only letters, digits and _ . -";

function isBareHex(text: string, start: number): boolean {
  if (text.length - start !== 64) return false;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (!isHex(code) || isUpper(code)) return false;
  }
  return true;
}

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
  if (scheme !== undefined && !isHost(text, start, slash)) return `${registry}:${scheme === "http" ? 80 : 443}`;
  return registry;
}

/** Returns the end of the host that begins at `start`: `slash`, or the colon before its port. */
function scanHost(text: string, start: number, slash: number): number {
  if (text.charCodeAt(start) === BRACKET) return scanIpv6(text, start, slash);
  let needsAlphanumeric = true;
  let at = start;
  for (; at < slash; at++) {
    const code = text.charCodeAt(at);
    if (isAlphanumeric(code)) needsAlphanumeric = false;
    else if (code === COLON) break;
    else if (code === AT) throw credentials(text, start, slash, at);
    else if (code === DOT) {
      if (needsAlphanumeric || text.charCodeAt(at - 1) === DASH) throw new RefSyntaxError(at, hostLabels);
      needsAlphanumeric = true;
    } else if (code !== DASH) throw new RefSyntaxError(at, hostCharacters);
    else if (needsAlphanumeric) throw new RefSyntaxError(at, hostLabels);
  }
  if (at < slash && text.indexOf("@", at) >= 0 && text.indexOf("@", at) < slash) {
    throw credentials(text, start, slash, text.indexOf("@", at));
  }
  if (needsAlphanumeric || text.charCodeAt(at - 1) === DASH) throw new RefSyntaxError(at, hostLabels);
  return at;
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
  let digits = 0;
  let isCompressed = false;
  let at = start + 1;
  for (; at < slash; at++) {
    const code = text.charCodeAt(at);
    if (isHex(code)) {
      digits++;
      if (digits === 1) groups++;
      if (digits > 4) throw new RefSyntaxError(at, "a group of an IPv6 address has at most 4 digits");
    } else if (code === COLON) {
      const isDouble = text.charCodeAt(at + 1) === COLON;
      if (isDouble && isCompressed) throw new RefSyntaxError(at, "an IPv6 address can have :: only once");
      if (!isDouble && digits === 0) throw new RefSyntaxError(at, "a group of an IPv6 address is empty");
      if (!isDouble && !isHex(text.charCodeAt(at + 1)))
        throw new RefSyntaxError(at, "a group of an IPv6 address is empty");
      if (isDouble) {
        isCompressed = true;
        at++;
      }
      digits = 0;
    } else break;
  }
  if (text[at] === "%") throw new RefSyntaxError(at, "an IPv6 address in a reference cannot have a zone");
  if (text[at] !== "]")
    throw new RefSyntaxError(at, "an IPv6 address can have only hexadecimal digits and colons, and must end with ]");
  if (isCompressed ? groups > 7 : groups !== 8)
    throw new RefSyntaxError(start, "an IPv6 address must have 8 groups, or fewer and ::");
  const end = at + 1;
  if (end < slash && text.charCodeAt(end) !== COLON)
    throw new RefSyntaxError(end, "] must be followed by a port or a slash");
  return end;
}

function checkPort(text: string, start: number, slash: number): void {
  let port = 0;
  for (let at = start; at < slash; at++) {
    const code = text.charCodeAt(at);
    if (!isDigit(code))
      throw new RefSyntaxError(at, "the colon after a registry's host must be followed by a port number");
    port = port * 10 + code - 48;
    if (port > 65535 || port === 0)
      throw new RefSyntaxError(start, "a port must be a number from 1 to 65535 without leading zeros");
  }
  if (port === 0) throw new RefSyntaxError(start, "the port after the colon is missing");
}

/** Returns the end of the name that begins at `start`: the colon of a tag, the @ of a digest, or the end. */
function scanName(text: string, start: number): number {
  let needsAlphanumeric = true;
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isLowerOrDigit(code)) {
      needsAlphanumeric = false;
    } else if (code === COLON || code === AT) {
      break;
    } else if (isUpper(code)) {
      throw new RefSyntaxError(at, "a name must be in lower case", [lowerCaseName(text, start)]);
    } else if (code !== SLASH && code !== DOT && code !== DASH && code !== UNDERSCORE) {
      throw new RefSyntaxError(at, "a name can have only lower-case letters, digits, and . _ - / between them");
    } else if (needsAlphanumeric) {
      throw invalidPart(text, start, at);
    } else {
      at = separatorEnd(text, at, code) - 1;
      needsAlphanumeric = true;
    }
  }
  if (!needsAlphanumeric) return at;
  if (at === start) throw new RefSyntaxError(at, "the name is missing");
  throw invalidPart(text, start, at);
}

function invalidPart(text: string, start: number, at: number): RefSyntaxError {
  return new RefSyntaxError(
    at,
    "each part of a name must begin and end with a letter or digit, separated by . _ __ or dashes",
    at === start ? [] : [text.slice(0, at - 1) + text.slice(at)],
  );
}

/** Returns the end of a separator: a dot, one or two underscores, any number of dashes, or a slash. */
function separatorEnd(text: string, start: number, code: number): number {
  let at = start + 1;
  if (code === UNDERSCORE && text.charCodeAt(at) === UNDERSCORE) return at + 1;
  if (code === DASH) while (text.charCodeAt(at) === DASH) at++;
  return at;
}

function lowerCaseName(text: string, start: number): string {
  let end = start;
  while (end < text.length && text.charCodeAt(end) !== COLON && text.charCodeAt(end) !== AT) end++;
  return text.slice(0, start) + text.slice(start, end).toLowerCase() + text.slice(end);
}
