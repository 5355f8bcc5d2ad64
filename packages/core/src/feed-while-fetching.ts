import type { MoteCache } from "./capabilities.js";
import { hasCode } from "./error.js";
import type { RangesFetch } from "./fetch-ranges.js";

/** Receives the bytes of a fetch while they arrive. */
export interface FetchFeed {
  push(chunk: Uint8Array): void | Promise<void>;
  /** Called when the bytes have been verified. */
  end(): void;
  fail(error: unknown): void;
}

/**
 * Passes the bytes of a blob from `start` on to a feed in order while they are written to the cache in any order. Resolves once the blob is stored and
 * all of it is passed on; never rejects.
 */
export async function passOnToFeed(
  feed: FetchFeed,
  start: number,
  { cache, descriptor, signal }: Pick<RangesFetch, "descriptor" | "signal"> & { readonly cache: MoteCache },
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
