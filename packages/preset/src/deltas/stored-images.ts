import {
  type Cancellable,
  configPlatform,
  type Descriptor,
  type Digest,
  formatPlatform,
  type MoteCache,
  MoteError,
  manifestChildren,
  manifestKind,
  maxManifestBytes,
  parseManifest,
  readDiffIds,
  readMote,
} from "@mote/core";
import { maxConfigBytes } from "../rebuild/stored-forms.js";

/** An image of one platform in the cache. */
export interface PlatformImage {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** One for each layer. */
  readonly diffIds: readonly (Digest | undefined)[];
  /** In containerd's notation; empty if the config does not say. */
  readonly platform: string;
}

/** Returns the images that are stored at or below these manifests. Attestations and other artifacts of an index are left out. */
export async function storedImages(
  cache: MoteCache,
  roots: readonly Descriptor[],
  { signal }: Cancellable,
): Promise<readonly PlatformImage[]> {
  const found = new Map<Digest, PlatformImage>();
  const seen = new Set<Digest>();
  const queue = [...roots];
  for (let root = queue.shift(); root !== undefined; root = queue.shift()) {
    const { digest, mediaType } = root;
    if (seen.has(digest) || !(await cache.moteExists(digest, { signal }))) continue;
    seen.add(digest);
    const bytes = await readMote(cache, digest, { maxBytes: maxManifestBytes, signal });
    const manifest = parseManifest(bytes, mediaType);
    queue.push(...manifestChildren(manifest).manifests);
    if (manifest.kind !== "manifest" || manifest.config === undefined || manifestKind(manifest) !== "image") continue;
    const { config, layers } = manifest;
    const configBytes = await readMote(cache, config.digest, { maxBytes: maxConfigBytes, signal });
    const diffIds = readDiffIds(configBytes) ?? [];
    const platform = configPlatform(configBytes);
    if (diffIds.length !== layers.length) continue;
    found.set(digest, {
      manifest: { mediaType: manifest.mediaType, digest, size: bytes.byteLength },
      config,
      layers,
      diffIds,
      platform: platform === undefined ? "" : formatPlatform(platform),
    });
  }
  return [...found.values()];
}

/** An old image, and the new one of the same platform. */
export interface ImagePair {
  readonly from: PlatformImage;
  readonly to: PlatformImage;
}

export interface ImagePairs {
  readonly pairs: readonly ImagePair[];
  readonly unchanged: readonly Digest[];
  readonly withoutOld: readonly string[];
}

/** Finds the old image of each new one: that of the same platform, or the only one. @throws MOTE_NO_PLATFORM · MOTE_INVALID_MANIFEST */
export function pairImages(
  old: { readonly name: string; readonly images: readonly PlatformImage[] },
  next: { readonly name: string; readonly images: readonly PlatformImage[] },
): ImagePairs {
  for (const { name, images } of [old, next]) if (images.length === 0) throw noImage(name);
  const isSingle = old.images.length === 1 && next.images.length === 1;
  const oldFor = (to: PlatformImage) =>
    isSingle ? old.images[0] : old.images.find(({ platform }) => platform === to.platform);
  const pairs = [];
  const unchanged = [];
  const withoutOld = [];
  for (const to of next.images) {
    const from = oldFor(to);
    if (from === undefined) withoutOld.push(to.platform);
    else if (from.manifest.digest === to.manifest.digest) unchanged.push(to.manifest.digest);
    else pairs.push({ from, to });
  }
  if (pairs.length === 0 && unchanged.length === 0) throw noCommonPlatform(old.images, next.images);
  return { pairs, unchanged, withoutOld };
}

function noImage(name: string): MoteError {
  const message = `cannot make a delta: ${name} is not an image with layers; use mote inspect to see what it is`;
  return new MoteError("MOTE_INVALID_MANIFEST", message, { details: { reference: name } });
}

function noCommonPlatform(old: readonly PlatformImage[], next: readonly PlatformImage[]): MoteError {
  const [has, wanted] = [old, next].map((images) => images.map(({ platform }) => platform || "unknown").join(", "));
  return new MoteError(
    "MOTE_NO_PLATFORM",
    `cannot make a delta: the old image has ${has}, the new one ${wanted}; choose images of the same platform`,
    { details: { wanted, platforms: old.map(({ platform }) => platform) } },
  );
}
