import { type Descriptor, type Digest, digestBytes, hasCode, MoteError, parseDescriptor, type Tag } from "@mote/core";
import type { CooperativeYield } from "../disk/cooperative-yield.js";
import { isUnreadable } from "../disk/file-error.js";
import { notAhead } from "../disk/file-times.js";
import { namesIn, openPlainFile, readWhole } from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";

/** A tag and its file. */
export interface StoredTag extends Tag {
  readonly path: string;
  /** When it was last set, in Unix milliseconds. */
  readonly setMs: number;
}

/** Returns the digest that represents a name in leases and as a file name. */
export function nameDigest(name: string): Digest {
  return digestBytes(Buffer.from(name));
}

/** Returns the name of a tag's file. Any tag name is allowed. */
export function tagFileOf(name: string): string {
  return `${CacheFolder.hashOf(name)}.json`;
}

export function isTagFile(file: string): boolean {
  return /^[0-9a-f]{64}\.json$/.test(file);
}

export function tagText(name: string, descriptor: Descriptor): string {
  return `${JSON.stringify({ name, descriptor })}\n`;
}

/** Returns undefined if the file does not exist. @throws MOTE_CORRUPT · MOTE_IO */
export function readTag(path: string): StoredTag | undefined {
  const file = openPlainFile(path, (fd, stats) => ({
    text: readWhole(fd, stats).toString("utf8"),
    setMs: notAhead(stats.mtimeMs),
  }));
  if (file === undefined) return undefined;
  const { text, setMs } = file;
  let cause: unknown;
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && "name" in body && "descriptor" in body) {
      return { name: String(body.name), descriptor: parseDescriptor(body.descriptor), path, setMs };
    }
  } catch (error) {
    cause = error;
  }
  throw new MoteError("MOTE_CORRUPT", `the tag file ${path} is damaged; remove it and set the tag again`, { cause });
}

/** As `readTag`, but also returns undefined for a damaged or unreadable file. */
export function readTagIfReadable(path: string): StoredTag | undefined {
  try {
    return readTag(path);
  } catch (error) {
    if (isOfOneTag(error)) return undefined;
    throw error;
  }
}

/** Reads all tags, in the order of names. `damaged` is the error of one that is damaged or unreadable, which is left out. */
export async function readTags(
  folder: CacheFolder,
  yields: CooperativeYield,
): Promise<{ readonly tags: StoredTag[]; readonly damaged: unknown }> {
  const tags: StoredTag[] = [];
  let damaged: unknown;
  for (const file of namesIn(folder.tags)) {
    if (!file.endsWith(".json")) continue;
    const turn = yields.yieldIfDue();
    if (turn !== undefined) await turn;
    try {
      const tag = readTag(`${folder.tags}/${file}`);
      if (tag !== undefined) tags.push(tag);
    } catch (error) {
      if (!isOfOneTag(error)) throw error;
      damaged ??= error;
    }
  }
  return { tags: tags.sort((a, b) => (a.name < b.name ? -1 : 1)), damaged };
}

/** Returns whether a tag is damaged or unreadable, which does not affect other tags. */
export function isOfOneTag(error: unknown): boolean {
  return hasCode(error, "MOTE_CORRUPT") || isUnreadable(error);
}
