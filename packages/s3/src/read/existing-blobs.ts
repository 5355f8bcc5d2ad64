import { setMaxListeners } from "node:events";
import { type Cancellable, type Digest, hasCode } from "@mote/core";
import type { CacheBucket } from "../bucket/cache-bucket.js";
import type { BlobSource } from "./blob-source.js";

/** Blobs that a page of a listing must answer for: it costs as much as a dozen look-ups on AWS, and as much time as some dozens. */
const minAnswers = 32;
const maxLookUps = 200;
const maxPages = 8;
const pageSize = 1000;
/** A service that takes longer for its pages, because the bucket is large, is asked for single objects. */
const maxListingMs = 2_000;

/**
 * Returns those of the blobs that exist, and their sizes in bytes. One page of a listing answers for all blobs of a small bucket, and for those
 * of a range of keys in a larger one; its first page tells how many. What no page answers for is looked up.
 */
export async function existingBlobs(
  { bucket, keys }: CacheBucket,
  source: BlobSource,
  digests: ReadonlySet<Digest>,
  options: Cancellable = {},
): Promise<Map<Digest, number>> {
  const signal = AbortSignal.any(options.signal === undefined ? [] : [options.signal]);
  // Each request listens to it.
  setMaxListeners(maxLookUps, signal);
  const limit = new AbortController();
  const listing = AbortSignal.any([signal, limit.signal]);
  setMaxListeners(maxPages, listing);
  const found = new Map<Digest, number>();
  const withoutSize = new Set<Digest>();
  // Keys of blobs are ASCII, so that this is the order of listings.
  const wanted = [...digests].sort((a, b) => (keys.blob(a) < keys.blob(b) ? -1 : 1));

  /** Returns the blobs that a page, from the first of them on, does not answer for. */
  const askPage = async (some: readonly Digest[]): Promise<readonly Digest[]> => {
    const first = some[0] && keys.blob(some[0]);
    let listed = 0;
    try {
      const options = { signal: listing, pageSize, after: first?.slice(0, -1) };
      for await (const { key, size } of bucket.list(keys.blobs, "look up blobs", options)) {
        const digest = keys.blobAt(key);
        if (digest !== undefined && digests.has(digest)) {
          // 0 is also what a listing without a size has.
          if (size === 0) withoutSize.add(digest);
          else found.set(digest, size);
        }
        if (++listed === pageSize) return some.filter((digest) => keys.blob(digest) > key);
      }
      return [];
    } catch (error) {
      signal.throwIfAborted();
      // A listing may not be allowed, implemented or in order.
      if (limit.signal.aborted || hasCode(error, "MOTE_IO", "MOTE_FORBIDDEN")) return some;
      throw error;
    }
  };

  let rest: readonly Digest[] = wanted;
  const timer = setTimeout(() => limit.abort(), maxListingMs);
  try {
    if (wanted.length >= minAnswers) rest = await askPage(wanted);
    const answered = wanted.length - rest.length;
    // Fewer than the first page has answered for, as digests are not spread evenly: what a page leaves takes one more round trip.
    const each = Math.ceil(answered * 0.75);
    if (answered >= minAnswers) rest = (await inTurns(slices(rest, each), maxPages, askPage)).flat();
  } finally {
    clearTimeout(timer);
  }
  await inTurns([...new Set([...rest, ...withoutSize])], maxLookUps, async (digest) => {
    const info = await source.find(digest, { signal });
    if (info === undefined) found.delete(digest);
    else found.set(digest, info.size);
  });
  return found;
}

/** Calls `run` for so many at a time. */
async function inTurns<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  run: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const some of slices(items, atOnce)) results.push(...(await Promise.all(some.map(run))));
  return results;
}

function slices<Item>(items: readonly Item[], size: number): (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size));
}
