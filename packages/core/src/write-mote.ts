import type { Cancellable } from "./cancellable.js";
import type { Mote, MoteInfo, MoteStore } from "./mote.js";

/**
 * Writes a mote into a cache, which verifies size and digest. Discards the bytes if this rejects.
 * @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · what the cache or the chunks throw
 */
export async function writeMote(
  cache: MoteStore,
  { digest, mediaType, size }: Mote,
  content: Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: Cancellable = {},
): Promise<MoteInfo> {
  await cache.createMote(digest, mediaType, size, options);
  await using writer = await cache.moteWriter(digest, options);
  if (content instanceof Uint8Array) await writer.write(content);
  else {
    for await (const chunk of content) {
      options.signal?.throwIfAborted();
      await writer.write(chunk);
    }
  }
  return await writer.close();
}
