import { setTimeout as delay } from "node:timers/promises";
import { type Digest, digestBytes, hasCode, type MoteCache, mediaTypes } from "@mote/core";

const retryMs = 50;

/**
 * Rebuilds a layer unless another transfer, in this or another process, is rebuilding it or has rebuilt it. Waits for the other one.
 * @returns whether the layer is stored
 */
export async function rebuildOnce(
  cache: MoteCache,
  layer: Digest,
  work: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<boolean> {
  if (cache.leadMote === undefined || cache.followMote === undefined) return work();
  // The lock is that of a writer whose blob is never written. The layer's own has to be free for what is made, and keeps a partial fetch.
  const digest = digestBytes(new TextEncoder().encode(`rebuild ${layer}`));
  for (;;) {
    const lock = await cache.leadMote({ digest, mediaType: mediaTypes.octetStream, size: 1 }, { signal });
    if (lock !== undefined) {
      try {
        return (await cache.moteExists(layer, { signal })) || (await work());
      } finally {
        await lock.abort();
      }
    }
    await using follower = await cache.followMote(digest, { signal });
    try {
      if (follower === undefined) await delay(retryMs, undefined, { signal });
      else for await (const _ of follower);
    } catch (error) {
      signal.throwIfAborted();
      if (!hasCode(error, "MOTE_WRITER_GONE")) throw error;
    }
  }
}
