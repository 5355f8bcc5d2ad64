import {
  type Digest,
  isManifestType,
  type MoteCache,
  MoteError,
  maxManifestBytes,
  readMote,
  sniffManifestType,
} from "@mote/core";
import type { Context } from "../context.js";
import { findDigest } from "../find-digest.js";
import { tagsByDigest } from "../listing.js";
import { formatBytes } from "../quantity.js";
import { openHouse } from "../wire.js";

export async function info(context: Context, text: string): Promise<void> {
  await using mote = await openHouse(context);
  const { cache } = mote;
  const digest = await findDigest(cache, text);
  const found = await cache.find(digest, { signal: context.signal });
  if (!found)
    throw new MoteError("MOTE_NOT_FOUND", `${digest} is not in the cache ${context.dir}; \`mote ls\` lists what is`);
  const tags = (await tagsByDigest(cache)).get(digest) ?? [];
  const mediaType = await mediaTypeOf(cache, digest, found.size, found.mediaType);
  const path = cache.moteRef(digest);
  context.out.result({ digest, size: found.size, mediaType, path, tags }, [
    `digest      ${digest}`,
    `size        ${found.size} bytes (${formatBytes(found.size)})`,
    `media type  ${mediaType}`,
    `path        ${path}`,
    ...tags.map((name) => `tag         ${name}`),
  ]);
}

/** A cache keeps no media types, but a manifest says what it is. */
async function mediaTypeOf(cache: MoteCache, digest: Digest, size: number, kept: string): Promise<string> {
  if (isManifestType(kept) || size > maxManifestBytes) return kept;
  await using reader = await cache.moteReader(digest, { end: 1 });
  for await (const first of reader) if (first[0] !== "{".charCodeAt(0)) return kept;
  try {
    return sniffManifestType(await readMote(cache, digest, { maxBytes: maxManifestBytes }));
  } catch (error) {
    if (MoteError.isInstance(error) && error.code === "MOTE_INVALID_MANIFEST") return kept;
    throw error;
  }
}
