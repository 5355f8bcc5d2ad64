import type { Descriptor, Digest, Platform, Ref } from "@mote/core";

/** `bytes` is the sum of the descriptors' sizes unless stated otherwise. */
export interface Tally {
  readonly count: number;
  readonly bytes: number;
}

export interface TransferredRef {
  readonly ref: Ref | string;
  /** What the source resolved the reference to, and what the name in the cache refers to. */
  readonly resolved: Descriptor;
  /** What was moved: `resolved`, or the manifest of the selected platform. */
  readonly descriptor: Descriptor;
  /** The platform that was selected, from the index or config. */
  readonly platform?: Platform | undefined;
  /** Manifests that its indexes list but the source does not have. Absent if there are none. */
  readonly missing?: readonly Descriptor[] | undefined;
  /** Its tag at the destination or its name in the cache, if it has one. */
  readonly tag?: string | undefined;
}

export interface TransferredReferrer {
  /** With the artifact type and annotations of its manifest. */
  readonly descriptor: Descriptor;
  /** Its tag, if it refers to its subject by the tag. */
  readonly tag?: string | undefined;
}

export interface TransferReport {
  readonly refs: readonly TransferredRef[];
  /**
   * Blobs that were fetched from the source or a fallback. `bytes` are the bytes received, including bytes that were fetched again.
   */
  readonly fetched: Tally;
  /** Blobs whose fetch was resumed. `bytes` are those of earlier transfers. */
  readonly resumed: Tally;
  /** Blobs whose content was in the `data` of a descriptor. */
  readonly inlined: Tally;
  /** Blobs that were in the cache, including those that another process has fetched meanwhile. */
  readonly hit: Tally;
  /** Blobs that were fetched into the cache from a tier behind it. */
  readonly tier: Tally;
  /**
   * Blobs that were rebuilt from other content of the cache instead of being fetched. `bytes` are those that were not fetched: `fetched` counts
   * what was fetched of a delta, but not the start of a blob, at most 1/128, that was read to find out how to make it.
   */
  readonly rebuilt: Tally;
  /** Blobs that were linked from the cache to the destination. */
  readonly linked: Tally;
  /** Blobs whose bytes were sent to the destination. */
  readonly copied: Tally;
  /** Blobs that the destination mounted from another repository. */
  readonly mounted: Tally;
  /** Blobs that the destination already had. */
  readonly skipped: Tally;
  /** Foreign layers, which were not moved. */
  readonly foreign: Tally;
  /** Referrers that were moved. `warnings` names those that could not be. */
  readonly referrers: readonly TransferredReferrer[];
  /** Manifests and indexes; `fetched` of them with `fetchedBytes` came from the source. */
  readonly manifests: Tally & { readonly fetched: number; readonly fetchedBytes: number };
  readonly durationMs: number;
  readonly warnings: readonly string[];
}

const counted = [
  ...(["fetched", "resumed", "inlined", "hit", "tier", "rebuilt"] as const),
  ...(["linked", "copied", "mounted", "skipped", "foreign"] as const),
];
type Counted = (typeof counted)[number];

/** Counts blobs during a transfer, each once. */
export class Tallies {
  readonly #sizes = Object.fromEntries(counted.map((what) => [what, new Map()])) as Record<
    Counted,
    Map<Digest, number>
  >;

  add(what: Counted, digest: Digest, bytes: number): void {
    const sizes = this.#sizes[what];
    // Bytes fetched again are added, but the blob is counted once.
    sizes.set(digest, what === "fetched" ? (sizes.get(digest) ?? 0) + bytes : bytes);
  }

  all(): Readonly<Record<Counted, Tally>> {
    const tallyOf = (sizes: number[]) => ({ count: sizes.length, bytes: sizes.reduce((sum, bytes) => sum + bytes, 0) });
    const rows = counted.map((what) => [what, tallyOf([...this.#sizes[what].values()])] as const);
    return Object.fromEntries(rows) as Record<Counted, Tally>;
  }
}
