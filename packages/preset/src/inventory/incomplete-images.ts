import { type Digest, type Inventory, manifestChildren, rootsOf } from "@mote/core";

export interface IncompleteManifest {
  readonly digest: Digest;
  /** The names of the images that contain it, and its own. Empty if its source is unknown. */
  readonly names: readonly string[];
}

/**
 * Returns incomplete manifests: names whose manifest is missing, images without their config or a layer, and those of `damaged` that are
 * referenced. Platforms of an index that were never fetched do not count.
 */
export function incompleteManifests(
  inventory: Inventory,
  damaged: ReadonlySet<Digest> = new Set(),
): IncompleteManifest[] {
  const isKept = (digest: Digest) => inventory.motes.has(digest);
  const broken = new Set<Digest>();
  for (const [digest, manifest] of inventory.manifests) {
    if (manifest.kind === "index") continue;
    if (!manifestChildren(manifest).blobs.every((child) => isKept(child.digest))) broken.add(digest);
  }
  for (const { descriptor } of inventory.tags) if (!isKept(descriptor.digest)) broken.add(descriptor.digest);
  const names = new Map<Digest, string[]>();
  for (const root of rootsOf(inventory)) {
    for (const digest of root.closure) {
      const isBroken =
        broken.has(digest) || (damaged.has(digest) && !isKept(digest) && isManifestOf(inventory, digest));
      if (isBroken) names.set(digest, [...(names.get(digest) ?? []), ...root.names]);
    }
  }
  return [...names].map(([digest, all]) => ({ digest, names: [...new Set(all)] }));
}

/** Returns the unique names of incomplete images, or their digests if they have no name. */
export function namesOfIncomplete(manifests: readonly IncompleteManifest[]): string[] {
  return [...new Set(manifests.flatMap(({ digest, names }) => (names.length > 0 ? names : [digest])))];
}

/** Returns whether an index lists the digest, as the manifest itself is missing. */
function isManifestOf(inventory: Inventory, digest: Digest): boolean {
  for (const manifest of inventory.manifests.values()) {
    if (manifest.kind === "index" && manifest.manifests.some((child) => child.digest === digest)) return true;
  }
  return false;
}
