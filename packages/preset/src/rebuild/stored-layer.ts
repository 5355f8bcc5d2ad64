import type { Cancellable, Digest, MoteCache } from "@mote/core";

/** Returns a function that opens the uncompressed content of a stored layer, without counting as a use. */
export function storedContent(
  cache: MoteCache,
  digest: Digest,
  { signal }: Cancellable,
): () => AsyncGenerator<Uint8Array, void, undefined> {
  return async function* () {
    const { uncompressedBlob } = await import("@mote/layout");
    await using reader = await cache.moteReader(digest, { countsAsUse: false, signal });
    yield* uncompressedBlob(reader, `the layer ${digest}`, { signal });
  };
}
