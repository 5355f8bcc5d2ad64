import { type Cancellable, type Digest, isManifestType, type MoteSource } from "@mote/core";
import type { BucketPins } from "./bucket-pins.js";
import type { LeaseObjects } from "./lease-objects.js";
import { closureOf } from "./tagged-images.js";

export type HoldReason = "pinned" | "leased";

/** What a prune must not remove. Whatever was leased at any time during the prune is held until it ends: it may have a tag by now. */
export class PruneHolds {
  readonly #leases: LeaseObjects;
  readonly #pins: BucketPins;
  readonly #source: MoteSource;
  readonly #announcement: ReturnType<LeaseObjects["announcePrune"]> | undefined;
  readonly #held = new Map<Digest, HoldReason>();
  /** Pinned manifests and leased ones, whose content was added. */
  readonly #expanded = new Set<Digest>();
  readonly #keep: Iterable<Digest>;
  #pinned = new Set<Digest>();

  constructor(
    from: { readonly leases: LeaseObjects; readonly pins: BucketPins; readonly source: MoteSource },
    { dryRun, keep = [] }: { readonly dryRun: boolean; readonly keep?: Iterable<Digest> | undefined },
  ) {
    this.#keep = keep;
    this.#leases = from.leases;
    this.#pins = from.pins;
    this.#source = from.source;
    this.#announcement = dryRun ? undefined : from.leases.announcePrune();
  }

  /** Looks at the leases and pins. Must precede each removal. */
  async look({ signal }: Cancellable = {}): Promise<void> {
    await this.#announcement?.look({ signal });
    for (const digest of this.#pinned) if (this.#held.get(digest) === "pinned") this.#held.delete(digest);
    const pinned = new Set<Digest>();
    for await (const digest of this.#pins.pins({ signal })) pinned.add(digest);
    for (const digest of await this.#leases.leased({ signal, tidy: this.#announcement !== undefined }))
      await this.#hold(digest, "leased", signal);
    for (const digest of [...pinned, ...this.#keep]) await this.#hold(digest, "pinned", signal);
    this.#pinned = pinned;
  }

  /** Returns why a mote must stay; undefined if it may be removed. */
  reasonFor(digest: Digest): HoldReason | undefined {
    return this.#held.get(digest);
  }

  async end(): Promise<void> {
    await this.#announcement?.end();
  }

  /** Holds a mote, and if it is a manifest, everything below it. */
  async #hold(digest: Digest, reason: HoldReason, signal: AbortSignal | undefined): Promise<void> {
    this.#held.set(digest, reason);
    if (this.#expanded.has(digest)) return;
    this.#expanded.add(digest);
    const info = await this.#source.find(digest, { signal });
    if (info === undefined || !isManifestType(info.mediaType)) return;
    for (const each of (await closureOf(this.#source, info, { signal })).digests)
      if (!this.#held.has(each)) this.#held.set(each, reason);
  }
}
