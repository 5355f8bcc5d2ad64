import type { Descriptor, Platform, Ref } from "@mote/core";

/** `bytes` are those of the blobs as their descriptors say; of `fetched`, those that really came from the source. */
export interface Tally {
  readonly count: number;
  readonly bytes: number;
}

export interface TransferredRef {
  readonly ref: Ref | string;
  /** What the reference stands for: of an index and a platform, the index. That is what the cache knows it as. */
  readonly resolved: Descriptor;
  /** What was moved for it: of an index and a platform, the manifest that was picked. */
  readonly descriptor: Descriptor;
  /** With `platform`: what was picked, as the index or the configuration tells. */
  readonly platform?: Platform | undefined;
  /** Its name at the destination, or in the cache, where it got one. */
  readonly tag?: string | undefined;
}

/** A manifest that was moved because it belongs to another one. */
export interface TransferredReferrer {
  /** As its own manifest describes it: with artifact type and annotations. */
  readonly descriptor: Descriptor;
  /** Its tag, if it belongs to the other by that. */
  readonly tag?: string | undefined;
}

export interface TransferReport {
  readonly refs: readonly TransferredRef[];
  /** Blobs that came from the source. */
  readonly fetched: Tally;
  /** Blobs that the cache had. */
  readonly hit: Tally;
  /** Blobs that the destination got as links out of the cache. */
  readonly linked: Tally;
  /** Blobs whose bytes were sent to the destination. */
  readonly copied: Tally;
  /** Blobs that the destination took from another place of its own. */
  readonly mounted: Tally;
  /** Blobs that the destination had. */
  readonly skipped: Tally;
  /** Layers left where their `urls` say, as they may not be distributed. */
  readonly foreign: Tally;
  /** What was moved because it refers to something else that was. One that could not be moved is among the `warnings`. */
  readonly referrers: readonly TransferredReferrer[];
  /** Manifests and indexes, those in the cache too; `fetched` of them came from the source. */
  readonly manifests: Tally & { readonly fetched: number };
  readonly durationMs: number;
  readonly warnings: readonly string[];
}

type Counted = "fetched" | "hit" | "linked" | "copied" | "mounted" | "skipped" | "foreign";

/** Counts while a transfer runs. */
export class Tallies {
  readonly #counts = new Map<Counted, Tally>();

  add(what: Counted, bytes: number): void {
    const { count, bytes: before } = this.of(what);
    this.#counts.set(what, { count: count + 1, bytes: before + bytes });
  }

  of(what: Counted): Tally {
    return this.#counts.get(what) ?? { count: 0, bytes: 0 };
  }
}
