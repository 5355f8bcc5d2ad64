import { type Descriptor, type Digest, type Inventory, rootsOf } from "@mote/core";

/** An index with only some platforms stored: only these were requested, or the source had no others. */
export interface PartialIndex {
  readonly digest: Digest;
  readonly names: readonly string[];
  /** The number of stored platforms. */
  readonly stored: number;
  /** The number of platforms, without attestations. */
  readonly listed: number;
  /** The platforms that are not stored. */
  readonly missing: readonly Descriptor[];
}

/** Returns the indexes with only some of their platforms stored. This is not damage: `repair` does not fetch the others. */
export function partialIndexes(inventory: Inventory): PartialIndex[] {
  return rootsOf(inventory).flatMap(({ digest, names, kind }) => {
    if (kind !== "index") return [];
    const platforms = platformsOf(inventory, digest);
    const missing = platforms.filter((platform) => !inventory.motes.has(platform.digest));
    if (missing.length === 0) return [];
    return { digest, names, stored: platforms.length - missing.length, listed: platforms.length, missing };
  });
}

/** Returns the unique platform images of an index and its nested indexes. */
function platformsOf({ manifests }: Inventory, root: Digest): readonly Descriptor[] {
  const platforms = new Map<Digest, Descriptor>();
  const seen = new Set<Digest>([root]);
  for (const digest of seen) {
    const index = manifests.get(digest);
    for (const entry of index?.kind === "index" ? index.manifests : []) {
      if (manifests.get(entry.digest)?.kind === "index") seen.add(entry.digest);
      else if (entry.platform?.os !== "unknown") platforms.set(entry.digest, entry);
    }
  }
  return [...platforms.values()];
}
