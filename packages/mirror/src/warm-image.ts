import {
  type Cancellable,
  type Descriptor,
  type Manifest,
  MoteError,
  manifestChildren,
  PlatformMatcher,
  parseManifest,
  parsePlatform,
  type UpstreamManifest,
  type WarmReport,
} from "@mote/core";

const maxDepth = 4;
/** Blobs of one image that are fetched at once. */
const maxBlobsAtOnce = 4;

export interface WarmSource {
  manifest(digest: Descriptor["digest"], options: Cancellable): Promise<UpstreamManifest>;
  /** Fetches a blob into the cache. Returns whether it was missing. */
  blob(descriptor: Descriptor, options: Cancellable): Promise<boolean>;
}

export interface WarmImageOptions extends Cancellable {
  /** As `OS/ARCH[/VARIANT]`. Empty: all. */
  readonly platforms: readonly string[];
}

/**
 * Fetches everything that an image refers to, of an index only the images that best match the platforms.
 * @throws MOTE_NO_PLATFORM · MOTE_INVALID_MANIFEST · what the source throws
 */
export async function warmImage(
  source: WarmSource,
  { descriptor, bytes }: UpstreamManifest,
  { platforms, signal }: WarmImageOptions,
): Promise<WarmReport> {
  const blobs = new Map<string, Descriptor>();
  const walk = async (manifest: Manifest, depth: number): Promise<void> => {
    const children = manifestChildren(manifest);
    for (const blob of children.blobs) blobs.set(blob.digest, blob);
    if (children.manifests.length > 0 && depth === maxDepth) {
      throw new MoteError("MOTE_INVALID_MANIFEST", `${descriptor.digest} has more than ${maxDepth} nested indexes`);
    }
    const chosen = depth === 0 ? chosenOf(children.manifests, platforms) : children.manifests;
    for (const { digest, mediaType } of chosen) {
      const found = await source.manifest(digest, { signal });
      await walk(parseManifest(found.bytes, mediaType), depth + 1);
    }
  };
  await walk(parseManifest(bytes, descriptor.mediaType), 0);
  let fetchedBytes = 0;
  const waiting = [...blobs.values()];
  const fetchNext = async () => {
    for (let blob = waiting.shift(); blob !== undefined; blob = waiting.shift()) {
      if (await source.blob(blob, { signal })) fetchedBytes += blob.size;
    }
  };
  await Promise.all(Array.from({ length: maxBlobsAtOnce }, fetchNext));
  const sizes = [...blobs.values()].map(({ size }) => size);
  return { digest: descriptor.digest, bytes: sizes.reduce((sum, size) => sum + size, 0), fetchedBytes };
}

function chosenOf(manifests: readonly Descriptor[], platforms: readonly string[]): readonly Descriptor[] {
  if (platforms.length === 0 || manifests.length === 0) return manifests;
  return platforms.map((platform) => {
    const [best] = new PlatformMatcher(parsePlatform(platform)).bestFirst(manifests);
    if (best !== undefined) return best;
    throw new MoteError("MOTE_NO_PLATFORM", `the image has no platform ${platform}`, { details: { wanted: platform } });
  });
}
