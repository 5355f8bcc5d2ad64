import { type Descriptor, type Digest, type Inventory, rootsOf } from "@mote/core";

/** An index of which some platforms are stored alone, as they were asked for, or as the source had no others. */
export interface PartialIndex {
  readonly digest: Digest;
  readonly names: readonly string[];
  /** How many of its platforms are stored. */
  readonly stored: number;
  /** How many platforms it lists. Attestations do not count. */
  readonly listed: number;
  /** The platforms that are not stored. */
  readonly missing: readonly Descriptor[];
}

/** Returns the indexes that have some of their platforms alone. That is not damage, and nothing is fetched for it. */
export function partialIndexes(inventory: Inventory): PartialIndex[] {
  return rootsOf(inventory).flatMap(({ digest, names, kind }) => {
    if (kind !== "index") return [];
    const platforms = platformsOf(inventory, digest);
    const missing = platforms.filter((platform) => !inventory.motes.has(platform.digest));
    if (missing.length === 0) return [];
    return { digest, names, stored: platforms.length - missing.length, listed: platforms.length, missing };
  });
}

/** What an index and those in it list for a platform, each once. */
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
