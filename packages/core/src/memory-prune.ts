import type { Digest } from "./digest.js";
import { type Inventory, rootsOf } from "./inventory.js";
import type { MoteInfo, PruneOptions, PruneReport } from "./mote.js";

/** An image with its names, or a mote that no image refers to; it is removed as a unit. */
interface Unit {
  readonly root: Digest;
  readonly digests: ReadonlySet<Digest>;
  readonly names: readonly string[];
  readonly usedMs: number;
}

/** Plans which units a prune removes, least recently used first. */
export function planPrune(
  inventory: Inventory,
  maxSize: number,
  { dryRun = false, maxAgeMs = Number.POSITIVE_INFINITY, minAgeMs = 0, keep = new Set() }: PruneOptions,
): PruneReport {
  const { motes } = inventory;
  const units = unitsOf(inventory);
  const users = new Map<Digest, number>();
  for (const { digests } of units) for (const digest of digests) users.set(digest, (users.get(digest) ?? 0) + 1);
  const removed: MoteInfo[] = [];
  const untagged: string[] = [];
  let removedBytes = 0;
  let remainingBytes = bytesOf(motes.values());
  for (const { root, digests, names, usedMs } of units) {
    if (keep.has(root)) continue;
    const ageMs = Date.now() - usedMs;
    if (ageMs < minAgeMs || (remainingBytes <= maxSize && ageMs <= maxAgeMs)) continue;
    untagged.push(...names);
    for (const digest of digests) {
      const others = (users.get(digest) ?? 1) - 1;
      users.set(digest, others);
      const mote = motes.get(digest);
      if (others > 0 || mote === undefined) continue;
      const { size, mediaType } = mote;
      removed.push({ digest, size, mediaType });
      removedBytes += size;
      remainingBytes -= size;
    }
  }
  const reached = remainingBytes <= maxSize;
  return { removed, removedBytes, freedBytes: removedBytes, remainingBytes, untagged, skipped: [], reached, dryRun };
}

function unitsOf(inventory: Inventory): readonly Unit[] {
  const roots = rootsOf(inventory);
  const referred = new Set(roots.flatMap(({ closure }) => [...closure]));
  const single = [...inventory.motes.values()].filter(({ digest }) => !referred.has(digest));
  const units = [
    ...roots.map(({ digest, closure, names, usedMs = 0 }) => ({ root: digest, digests: closure, names, usedMs })),
    ...single.map(({ digest, usedMs = 0 }) => ({ root: digest, digests: new Set([digest]), names: [], usedMs })),
  ];
  return units.sort((a, b) => a.usedMs - b.usedMs);
}

function bytesOf(motes: Iterable<MoteInfo>): number {
  let bytes = 0;
  for (const { size } of motes) bytes += size;
  return bytes;
}
