import type { Digest } from "./digest.js";

/** The size of a group of motes. */
export interface Share {
  readonly motes: number;
  readonly bytes: number;
  /** Bytes of the motes that are in no other group. Removing the group frees them. */
  readonly unsharedBytes: number;
}

/**
 * Measures groups that may share motes. Motes for which `sizeOf` returns undefined do not count.
 * @returns the share of each group, in the order of `groups`
 */
export function measureShares<Key>(
  groups: ReadonlyMap<Key, Iterable<Digest>>,
  sizeOf: (digest: Digest) => number | undefined,
): Map<Key, Share> {
  const sets = new Map([...groups].map(([key, digests]) => [key, new Set(digests)]));
  const references = new Map<Digest, number>();
  for (const digests of sets.values()) {
    for (const digest of digests) references.set(digest, (references.get(digest) ?? 0) + 1);
  }
  const shares = new Map<Key, Share>();
  for (const [key, digests] of sets) {
    let [motes, bytes, unsharedBytes] = [0, 0, 0];
    for (const digest of digests) {
      const size = sizeOf(digest);
      if (size === undefined) continue;
      motes++;
      bytes += size;
      if (references.get(digest) === 1) unsharedBytes += size;
    }
    shares.set(key, { motes, bytes, unsharedBytes });
  }
  return shares;
}
