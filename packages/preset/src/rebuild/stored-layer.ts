import type { Cancellable, Digest, MoteCache } from "@mote/core";

/**
 * Returns a function that opens the uncompressed content of a stored layer, without counting as a use.
 * @param options.onBytes called with the number of its compressed bytes that have been read
 */
export function storedContent(
  cache: MoteCache,
  digest: Digest,
  { onBytes, signal }: Cancellable & { readonly onBytes?: ((bytes: number) => void) | undefined },
): () => AsyncGenerator<Uint8Array, void, undefined> {
  return async function* () {
    const { uncompressedBlob } = await import("@mote/layout");
    await using reader = await cache.moteReader(digest, { countsAsUse: false, signal });
    async function* counted() {
      let bytes = 0;
      for await (const chunk of reader) {
        bytes += chunk.byteLength;
        onBytes?.(bytes);
        yield chunk;
      }
    }
    yield* uncompressedBlob(counted(), `the layer ${digest}`, { signal });
  };
}
