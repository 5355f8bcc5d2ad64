import type { Descriptor, Digest, Platform, Ref } from "@mote/core";

/** `bytes` are those of the blobs as their descriptors say, unless it is said otherwise. */
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
  /** What its indexes list and the source does not have, with its platform: all else was moved. Absent: nothing. */
  readonly missing?: readonly Descriptor[] | undefined;
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
  /**
   * Blobs of which bytes came from the source, or from another place where it failed. `bytes` are those that really came, also what
   * was of no use and had to come again.
   */
  readonly fetched: Tally;
  /** Blobs of which an earlier transfer left a beginning in the cache. `bytes` are those that did not have to come again. */
  readonly resumed: Tally;
  /** Blobs that came within the manifests. */
  readonly inlined: Tally;
  /** Blobs that were read from the cache, or are there and wanted nowhere else: those that another process brought meanwhile, too. */
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
  /** Manifests and indexes, wherever they came from; `fetched` of them, of `fetchedBytes`, came from the source. */
  readonly manifests: Tally & { readonly fetched: number; readonly fetchedBytes: number };
  readonly durationMs: number;
  readonly warnings: readonly string[];
}

type Counted = "fetched" | "resumed" | "inlined" | "hit" | "linked" | "copied" | "mounted" | "skipped" | "foreign";

/** Counts while a transfer runs: each blob once, however often it had to be moved. */
export class Tallies {
  readonly #counts = new Map<Counted, Map<Digest, number>>();

  add(what: Counted, digest: Digest, bytes: number): void {
    const counted = this.#counts.get(what) ?? new Map<Digest, number>();
    this.#counts.set(what, counted);
    // What comes twice is fetched twice; it is one blob all the same.
    counted.set(digest, what === "fetched" ? (counted.get(digest) ?? 0) + bytes : bytes);
  }

  of(what: Counted): Tally {
    const counted = [...(this.#counts.get(what)?.values() ?? [])];
    return { count: counted.length, bytes: counted.reduce((sum, bytes) => sum + bytes, 0) };
  }
}
