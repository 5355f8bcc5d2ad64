import { type ContentDestination, type Descriptor, type Digest, isManifestType } from "@mote/core";

/** Counts blobs and their bytes. */
export interface PlannedCount {
  blobs: number;
  bytes: number;
}

/**
 * Returns a destination that has everything, and counts what the real one lacks and cannot mount.
 * @param planned the blobs that the run would send so far
 * @param canMount whether the real destination can probably mount a blob
 */
export function planningDestination(
  real: ContentDestination,
  planned: Set<Digest>,
  count: PlannedCount,
  canMount: (descriptor: Descriptor) => Promise<boolean>,
): ContentDestination {
  return {
    ref: real.ref,
    async has(descriptor: Descriptor, options) {
      const { digest, size, mediaType } = descriptor;
      if (isManifestType(mediaType) || planned.has(digest)) return true;
      const isThere =
        (await real.has(descriptor, options)) ||
        (real.mountSources?.(descriptor) ?? []).length > 0 ||
        (await canMount(descriptor));
      if (isThere || planned.has(digest)) return true;
      planned.add(digest);
      count.blobs++;
      count.bytes += size;
      return true;
    },
    async blob() {},
    async manifest() {},
    async tag() {},
  };
}
