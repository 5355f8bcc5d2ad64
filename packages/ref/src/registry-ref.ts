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
const longestRepository = 255;
const longestTag = 128;

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * `[HOST[:PORT]/]NAME[:TAG][@DIGEST]` from `start` to the end of `text`. Whether the first component is a host is Docker's
 * rule; after `http://` or `https://` it always is.
 */
export function readRegistryRef(text: string, start: number, scheme?: "http" | "https"): RegistryRef {
  if (start === text.length) throw new RefSyntaxError(start, "there is no name");
  if (scheme === undefined) refuseDigest(text, start);
  const slash = text.indexOf("/", start);
  const hasHost = scheme !== undefined || (slash >= 0 && isHost(text, start, slash));
  if (!hasHost && isBareHex(text, start)) {
    throw new RefSyntaxError(start, "a name of 64 hexadecimal digits would be taken for an image id", [
      `${text.slice(0, start)}${DEFAULT_REGISTRY}/${LIBRARY}${text.slice(start)}`,
    ]);
  }
  const registry = hasHost ? readRegistry(text, start, slash, scheme) : DEFAULT_REGISTRY;
  const nameStart = hasHost ? slash + 1 : start;
  const nameEnd = scanName(text, nameStart);
  const repository = writtenOut(registry, text.slice(nameStart, nameEnd));
  if (repository.length > longestRepository) {
    throw new RefSyntaxError(
      nameStart,
      `the name has ${repository.length} characters; it may have ${longestRepository}`,
    );
  }
  const ref: Writable<RegistryRef> = { transport: "docker", registry, repository };
  let at = nameEnd;
  if (text.charCodeAt(at) === COLON) {
    const tagEnd = scanTag(text, at + 1);
    ref.tag = text.slice(at + 1, tagEnd);
    at = tagEnd;
  }
  if (text.charCodeAt(at) === AT) ref.digest = readDigest(text, at);
  else if (ref.tag === undefined) ref.tag = DEFAULT_TAG;
  if (scheme !== undefined) ref.scheme = scheme;
  return ref;
}

/** A digest names content wherever it is. A repository called `sha256` is never meant; it can be written out. */
function refuseDigest(text: string, start: number): void {
  const colon = text.indexOf(":", start);
  if (colon < 0 || !isAlgorithm(text.slice(start, colon)) || text.includes("/", colon)) return;
  // With docker:// in front, what follows may be a tag, unless it is a digest for sure.
  if (start > 0 && !isDigest(text.slice(start))) return;
  throw new RefSyntaxError(
    start,
    "a digest by itself does not say where; a repository stands before it, as in NAME@sha256:…",
  );
}

/** Whether a digest may begin with this and a colon. */
export function isAlgorithm(name: string): boolean {
  return name === "sha256" || name === "sha384" || name === "sha512";
}

/** Docker's rule: the first component is a host if it has a dot, a colon or an upper-case letter, or is `localhost`. */
export function isHost(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT || code === COLON || isUpper(code)) return true;
  }
  return end - start === 9 && text.startsWith("localhost", start);
}

/** What stands after the `@` at `at`, to the end. */
export function readDigest(text: string, at: number): Digest {
  const digest = text.slice(at + 1);
  if (isDigest(digest)) return digest;
  const reason =
    digest === ""
      ? "there is no digest after the @"
      : "after the @ comes a digest: sha256, sha384 or sha512, a colon, and as many lower-case hexadecimal digits as it has";
  throw new RefSyntaxError(at + 1, reason, [text.slice(0, at + 1) + digest.toLowerCase(), text.slice(0, at)]);
}

/** Where the tag from `start` on ends. */
export function scanTag(text: string, start: number): number {
  let at = start;
  while (at < text.length && isTagCharacter(text.charCodeAt(at))) at++;
  const next = text.charCodeAt(at);
  if (at === start && (at === text.length || next === AT)) {
    const before = text.slice(0, start);
    const after = text.slice(start);
    throw new RefSyntaxError(start, "there is no tag after the colon", [
      after === "" ? before + DEFAULT_TAG : before.slice(0, -1) + after,
    ]);
  }
  if (at < text.length && next !== AT) throw new RefSyntaxError(at, tagCharacters, [text.slice(0, at)]);
  if (!isWord(text.charCodeAt(start))) throw new RefSyntaxError(start, "a tag begins with a letter, a digit or _");
  if (at - start > longestTag) {
    throw new RefSyntaxError(start + longestTag, `the tag has ${at - start} characters; it may have ${longestTag}`);
  }
  return at;
}

const tagCharacters = "a tag has letters, digits and _ . - only";

function isBareHex(text: string, start: number): boolean {
  if (text.length - start !== 64) return false;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (!isHex(code) || isUpper(code)) return false;
  }
  return true;
}

function writtenOut(registry: string, name: string): string {
  return registry === DEFAULT_REGISTRY && !name.includes("/") ? LIBRARY + name : name;
}

function readRegistry(text: string, start: number, slash: number, scheme: "http" | "https" | undefined): string {
  if (slash < 0) throw new RefSyntaxError(text.length, "there is no name after the registry");
  const portColon = scanHost(text, start, slash);
  if (portColon < slash) checkPort(text, portColon + 1, slash);
  const registry = text.slice(start, slash);
  if (registry === LEGACY_REGISTRY) return DEFAULT_REGISTRY;
  // A host that only the scheme made one would be read as part of the name without it; its port says the same.
  if (scheme !== undefined && !isHost(text, start, slash)) return `${registry}:${scheme === "http" ? 80 : 443}`;
  return registry;
}

/** Where the host from `start` on ends: at `slash`, or at the colon before its port. */
function scanHost(text: string, start: number, slash: number): number {
  if (text.charCodeAt(start) === BRACKET) return scanIpv6(text, start, slash);
  let wantsAlphanumeric = true;
  let at = start;
  for (; at < slash; at++) {
    const code = text.charCodeAt(at);
    if (isAlphanumeric(code)) wantsAlphanumeric = false;
    else if (code === COLON) break;
    else if (code === AT) throw credentials(text, start, slash, at);
    else if (code === DOT) {
      if (wantsAlphanumeric || text.charCodeAt(at - 1) === DASH) throw new RefSyntaxError(at, hostLabels);
      wantsAlphanumeric = true;
    } else if (code !== DASH) throw new RefSyntaxError(at, hostCharacters);
    else if (wantsAlphanumeric) throw new RefSyntaxError(at, hostLabels);
  }
  if (at < slash && text.indexOf("@", at) >= 0 && text.indexOf("@", at) < slash) {
    throw credentials(text, start, slash, text.indexOf("@", at));
  }
  if (wantsAlphanumeric || text.charCodeAt(at - 1) === DASH) throw new RefSyntaxError(at, hostLabels);
  return at;
}

const hostCharacters = "a registry's host has letters, digits, - and . only";
const hostLabels = "between the dots of a registry's host stand letters and digits, with - only between them";

function credentials(text: string, start: number, slash: number, at: number): RefSyntaxError {
  const host = text.lastIndexOf("@", slash) + 1;
  return new RefSyntaxError(
    at,
    "an @ before the first slash: a reference holds no credentials; log in to the registry instead",
    [text.slice(0, start) + text.slice(host)],
  );
}

/** RFC 5952 between brackets; no zone (RFC 6874) and no embedded IPv4 address. */
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
      if (isDouble && isCompressed) throw new RefSyntaxError(at, "an IPv6 address has :: only once");
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
  if (text[at] === "%") throw new RefSyntaxError(at, "an IPv6 address in a reference has no zone");
  if (text[at] !== "]")
    throw new RefSyntaxError(at, "an IPv6 address has hexadecimal digits and colons, and ends with ]");
  if (isCompressed ? groups > 7 : groups !== 8)
    throw new RefSyntaxError(start, "an IPv6 address has 8 groups, or fewer and ::");
  const end = at + 1;
  if (end < slash && text.charCodeAt(end) !== COLON) throw new RefSyntaxError(end, "after ] comes a port or a slash");
  return end;
}

function checkPort(text: string, start: number, slash: number): void {
  let port = 0;
  for (let at = start; at < slash; at++) {
    const code = text.charCodeAt(at);
    if (!isDigit(code)) throw new RefSyntaxError(at, "after a registry's host and its colon comes a port number");
    port = port * 10 + code - 48;
    if (port > 65535 || port === 0)
      throw new RefSyntaxError(start, "a port is a number from 1 to 65535, without leading zeros");
  }
  if (port === 0) throw new RefSyntaxError(start, "there is no port after the colon");
}

/** Where the name from `start` on ends: at the colon of a tag, the @ of a digest, or the end. */
function scanName(text: string, start: number): number {
  let wantsAlphanumeric = true;
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isLowerOrDigit(code)) {
      wantsAlphanumeric = false;
    } else if (code === COLON || code === AT) {
      break;
    } else if (isUpper(code)) {
      throw new RefSyntaxError(at, "a name is in lower case", [lowerCaseName(text, start)]);
    } else if (code !== SLASH && code !== DOT && code !== DASH && code !== UNDERSCORE) {
      throw new RefSyntaxError(at, "a name has lower-case letters, digits, and . _ - / between them, only");
    } else if (wantsAlphanumeric) {
      throw unfinishedPart(text, start, at);
    } else {
      at = separatorEnd(text, at, code) - 1;
      wantsAlphanumeric = true;
    }
  }
  if (!wantsAlphanumeric) return at;
  if (at === start) throw new RefSyntaxError(at, "there is no name");
  throw unfinishedPart(text, start, at);
}

function unfinishedPart(text: string, start: number, at: number): RefSyntaxError {
  return new RefSyntaxError(
    at,
    "each part of a name begins and ends with a letter or digit; between them stands one of . _ __ or dashes",
    at === start ? [] : [text.slice(0, at - 1) + text.slice(at)],
  );
}

/** One dot, one or two underscores, any number of dashes, one slash. */
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
