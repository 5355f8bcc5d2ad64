import type { Digest } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import type { DigestFiles } from "../folder/digest-files.js";
import type { LeaseFiles } from "../processes/lease-files.js";
import { describeProcess } from "../processes/process-identity.js";
import type { PruneAnnouncement } from "../processes/prune-announcement.js";
import type { RootsSince } from "./roots-since.js";

/** Removals between two looks at the leases. */
const removalsBetweenLooks = 256;
/** If the last look is older, the process was suspended: others may have evicted it. */
const staleMs = 1000;

/** Why a digest must stay; `named`: a manifest added during the prune refers to it. */
export interface Hold {
  readonly reason: "pinned" | "leased" | "named";
  /** The process that leases it, as text for users. */
  readonly holder?: string;
}

export type Holds = ReadonlyMap<Digest, Hold>;

/** Another process evicted this prune: its choice may be needed by now, so it starts over. */
export class PruneEvicted extends Error {}

/** The digests that a prune must not remove, updated regularly while it removes. */
export class PruneHolds {
  readonly #store: BlobStore;
  readonly #leases: LeaseFiles;
  readonly #pins: DigestFiles;
  /** Undefined in a dry run. */
  readonly #announcement: PruneAnnouncement | undefined;
  #since: RootsSince | undefined;
  /** Everything leased at any time since `remember(true)`; otherwise undefined. */
  #leasedSince: Map<Digest, Hold> | undefined;
  #current: Holds = new Map();
  #sinceLook = Number.POSITIVE_INFINITY;
  #looked = { steadyMs: 0, wallMs: 0 };

  constructor(
    from: { readonly store: BlobStore; readonly leases: LeaseFiles; readonly pins: DigestFiles },
    options: { readonly dryRun: boolean },
  ) {
    this.#store = from.store;
    this.#leases = from.leases;
    this.#pins = from.pins;
    this.#announcement = options.dryRun ? undefined : from.leases.announcePrune();
  }

  /** Returns the holds as of the last look. */
  get current(): Holds {
    return this.#current;
  }

  /** Also looks for images added from now on. */
  watch(since: RootsSince): void {
    this.#since = since;
  }

  /** Treats a removed manifest as new if it is stored again. */
  forget(manifest: Digest): void {
    this.#since?.forget(manifest);
  }

  /** Sets whether a lease that was seen counts until the next call, even after its release. */
  remember(isRemembered: boolean): void {
    this.#leasedSince = isRemembered ? new Map() : undefined;
  }

  /** Announces that nothing is removed before the next look. */
  rest(): void {
    this.#announcement?.rest();
    this.#sinceLook = Number.POSITIVE_INFINITY;
  }

  /** Looks at new leases, if due; call it before each removal. Returns undefined if no look is due. @throws PruneEvicted */
  lookIfDue(): Promise<void> | undefined {
    const turn = this.#store.yields.yieldIfDue();
    const { steadyMs, wallMs } = this.#looked;
    // The monotonic clock stops while a machine sleeps, the other may be set.
    const isFresh = performance.now() - steadyMs < staleMs && Math.abs(Date.now() - wallMs) < 2 * staleMs;
    return turn === undefined && isFresh && this.#sinceLook++ < removalsBetweenLooks ? undefined : this.look(turn);
  }

  /** @throws PruneEvicted */
  async look(turn?: Promise<void>): Promise<void> {
    await turn;
    this.#announcement?.look();
    const holders = this.#leases.current({ evictSilent: this.#announcement !== undefined });
    // After the look: a lease that was not seen belongs to a process that waits, or that evicted this prune.
    this.assertNotEvicted();
    this.#looked = { steadyMs: performance.now(), wallMs: Date.now() };
    this.#sinceLook = 0;
    const holds = new Map<Digest, Hold>();
    // In this order: a lease is released only after its content has a name.
    for (const digest of (await this.#since?.look()) ?? []) holds.set(digest, { reason: "named" });
    for (const [digest, hold] of this.#leasedSince ?? []) holds.set(digest, hold);
    const holdOf = new Map<string, Hold>();
    for (const [digest, owner] of holders) {
      const hold = holdOf.get(owner) ?? { reason: "leased", holder: describeProcess(owner) };
      holdOf.set(owner, hold);
      holds.set(digest, hold);
      this.#leasedSince?.set(digest, hold);
    }
    for (const digest of this.#pins.list()) holds.set(digest, { reason: "pinned" });
    this.#current = holds;
  }

  /** Returns the path by which to remove a file. @throws PruneEvicted */
  removalPath(path: string): string {
    const through = this.#announcement?.removalPath(path);
    if (through === undefined) this.assertNotEvicted();
    return through ?? path;
  }

  /** Call it if a removal found no file. @throws PruneEvicted */
  assertNotEvicted(): void {
    if (this.#announcement?.isEvicted()) throw new PruneEvicted("others went on without this prune");
  }

  end(): void {
    this.#announcement?.end();
  }
}
