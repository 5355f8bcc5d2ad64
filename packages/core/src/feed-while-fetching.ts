import type { MoteCache } from "./capabilities.js";
import type { Descriptor } from "./descriptor.js";
import { hasCode } from "./error.js";

interface Feed {
  push(chunk: Uint8Array): void | Promise<void>;
  fail(error: unknown): void;
}

/**
 * Passes the bytes of a blob on to a feed in order while they are written to the cache in any order. Resolves once the blob is stored and all of it
 * is passed on; never rejects.
 */
export async function passOnToFeed(
  feed: Feed,
  {
    cache,
    descriptor,
    signal,
  }: { readonly cache: MoteCache; readonly descriptor: Descriptor; readonly signal: AbortSignal },
): Promise<void> {
  try {
    await using follower = await cache.followMote?.(descriptor.digest, { verifyOnRead: false, signal });
    if (follower === undefined) throw new TypeError(`the writer of ${descriptor.digest} cannot be followed`);
    for await (const chunk of follower) await feed.push(chunk);
  } catch (error) {
    // The fetch has failed, and reports why.
    if (!hasCode(error, "MOTE_WRITER_GONE")) feed.fail(error);
  }
}
