import { type Digest, type Inventory, manifestChildren, rootsOf } from "@mote/core";

export interface IncompleteManifest {
  readonly digest: Digest;
  /** What it is part of, or called itself. None if its source is unknown. */
  readonly names: readonly string[];
}

/**
 * Returns manifests that are incomplete: names without one, images without config or a layer, and those of `damaged` that something refers to. A
 * platform of an index that was never fetched is not an error.
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

/** Returns the names of incomplete images, each once; of those without a name the digests. */
export function namesOfIncomplete(manifests: readonly IncompleteManifest[]): string[] {
  return [...new Set(manifests.flatMap(({ digest, names }) => (names.length > 0 ? names : [digest])))];
}

/** Whether an index lists it: its own manifest cannot be asked any more. */
function isManifestOf(inventory: Inventory, digest: Digest): boolean {
  for (const manifest of inventory.manifests.values()) {
    if (manifest.kind === "index" && manifest.manifests.some((child) => child.digest === digest)) return true;
  }
  return false;
}
