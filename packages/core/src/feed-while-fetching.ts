import type { MoteCache } from "./capabilities.js";
import type { Descriptor } from "./descriptor.js";
import { hasCode } from "./error.js";

interface Feed {
  push(chunk: Uint8Array): void | Promise<void>;
  end(): void;
  fail(error: unknown): void;
}

/**
 * Passes the bytes of a blob from `start` on to a feed in order while they are written to the cache in any order. Resolves once the blob is stored and
 * all of it is passed on; never rejects.
 */
export async function passOnToFeed(
  feed: Feed,
  {
    cache,
    descriptor,
    start,
    signal,
  }: {
    readonly cache: MoteCache;
    readonly descriptor: Descriptor;
    readonly start: number;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  try {
    await using follower = await cache.followMote?.(descriptor.digest, { start, verifyOnRead: false, signal });
    if (follower === undefined) throw new TypeError(`the writer of ${descriptor.digest} cannot be followed`);
    for await (const chunk of follower) await feed.push(chunk);
    // Only a commit ends the follower.
    feed.end();
  } catch (error) {
    // The fetch has failed, and reports why.
    if (!hasCode(error, "MOTE_WRITER_GONE")) feed.fail(error);
  }
}
