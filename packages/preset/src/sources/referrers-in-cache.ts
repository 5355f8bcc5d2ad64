import {
  type Cancellable,
  type Descriptor,
  type Digest,
  findReferrers,
  isManifestType,
  type MoteCache,
  MoteError,
  readManifest,
} from "@mote/core";

/** Returns the referrers in a cache by their subjects. Ignores missing and damaged manifests. */
export function referrersInCache(
  cache: MoteCache,
  options: Cancellable,
): Promise<ReadonlyMap<Digest, readonly Descriptor[]>> {
  async function* manifests(): AsyncGenerator<Descriptor, void, undefined> {
    for await (const { digest, mediaType, size } of cache.motes?.(options) ?? []) {
      if (isManifestType(mediaType)) yield { digest, mediaType, size };
    }
  }
  const read = (descriptor: Descriptor) =>
    readManifest(cache, descriptor, { ...options, countsAsUse: false }).catch((error: unknown) => {
      if (!MoteError.isInstance(error)) throw error;
      return undefined;
    });
  return findReferrers(manifests(), read);
}
