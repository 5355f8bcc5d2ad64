import { type Digest, isDigest, type MoteCache, MoteError, parseDigest, type Tag } from "@mote/core";
import type { References } from "./references.js";

/** Minimum digits of an abbreviated digest. */
const shortestPrefix = 6;
const shownCandidates = 5;

export interface FoundMote {
  readonly digest: Digest;
  /** The name under which it was found. */
  readonly name?: string;
}

/** Finds a mote as `OpenMote.find` does. @throws MOTE_NOT_FOUND · MOTE_AMBIGUOUS with the candidates · MOTE_INVALID_DIGEST */
export async function findByName(cache: MoteCache, references: References, text: string): Promise<FoundMote> {
  if (isDigest(text)) return { digest: text };
  const exact = isName(text) ? await cache.tags?.resolve(text) : undefined;
  if (exact !== undefined) return { digest: exact.digest, name: text };
  const prefix = /^(?:(sha256|sha384|sha512):)?([0-9a-f]+)$/.exec(text);
  if (prefix?.[1] !== undefined && (prefix[2]?.length ?? 0) < shortestPrefix) throw tooShort(text);
  if (prefix?.[1] === undefined && /^sha\d+:/.test(text)) parseDigest(text);
  if (prefix !== null && (prefix[2]?.length ?? 0) >= shortestPrefix) {
    const digest = await findByPrefix(cache, text, prefix[1] ?? "", prefix[2] ?? "");
    if (digest !== undefined) return { digest };
  }
  return (await findByReference(cache, references, text)) ?? (await findByTail(cache, text));
}

async function findByPrefix(
  cache: MoteCache,
  text: string,
  algorithm: string,
  digits: string,
): Promise<Digest | undefined> {
  const found: Digest[] = [];
  for await (const { digest } of cache.motes?.() ?? []) {
    const colon = digest.indexOf(":");
    if (digest.startsWith(digits, colon + 1) && digest.startsWith(algorithm)) found.push(digest);
  }
  if (found.length > 1) throw ambiguous(text, "begins", found.sort());
  if (found.length === 0 && algorithm !== "") throw absent(text, []);
  return found[0];
}

async function findByReference(cache: MoteCache, references: References, text: string): Promise<FoundMote | undefined> {
  const ref = references.tryParse(text);
  if (ref === undefined) return undefined;
  const name = references.nameInCache(ref);
  const descriptor = await cache.tags?.resolve(name);
  if (descriptor !== undefined) return { digest: descriptor.digest, name };
  return ref.digest !== undefined && (await cache.moteExists(ref.digest)) ? { digest: ref.digest } : undefined;
}

async function findByTail(cache: MoteCache, text: string): Promise<FoundMote> {
  const tags: Tag[] = [];
  for await (const tag of cache.tags?.list() ?? []) tags.push(tag);
  const ends = [`/${text}`, `/${text}:latest`];
  const found = tags.filter(({ name }) => ends.some((end) => name.endsWith(end)));
  const digests = new Set(found.map(({ descriptor }) => descriptor.digest));
  const [first] = found;
  if (first !== undefined && digests.size === 1) return { digest: first.descriptor.digest, name: first.name };
  const names = found.map(({ name }) => name);
  if (names.length > 0) throw ambiguous(text, "is the end of", names);
  throw absent(text, similar(text, tags));
}

/** Returns the names of the same image with other tags, and names that contain the text. */
function similar(text: string, tags: readonly Tag[]): string[] {
  const stem = (text.split("/").at(-1) ?? text).split(/[:@]/, 1).join("");
  return stem.length < 2 ? [] : tags.map(({ name }) => name).filter((name) => name.includes(stem));
}

function isName(text: string): boolean {
  return text !== "" && text.length <= 4096 && !/\p{Cc}/u.test(text);
}

function ambiguous(text: string, how: string, candidates: readonly string[]): MoteError {
  const shown = candidates.slice(0, shownCandidates);
  const more = candidates.length > shown.length ? ` and ${candidates.length - shown.length} more` : "";
  return new MoteError("MOTE_AMBIGUOUS", `${text} ${how} ${shown.join(", ")}${more}; be more specific`, {
    details: { text, candidates },
  });
}

function absent(text: string, similar: readonly string[]): MoteError {
  const hint = similar.length > 0 ? `, such as ${similar.slice(0, 3).join(", ")}` : "";
  const message = `cannot find ${text}: it is not in the cache; run \`mote ls\` to list names${hint}`;
  return new MoteError("MOTE_NOT_FOUND", message, { details: { text } });
}

function tooShort(text: string): MoteError {
  const message = `${text} is too short; use at least ${shortestPrefix} digits of a digest`;
  return new MoteError("MOTE_INVALID_DIGEST", message, { details: { text } });
}
