import type { Digest } from "@mote/core";
import type { BlobStore } from "../blobs/blob-store.js";
import type { DigestFiles } from "../folder/digest-files.js";
import type { LeaseFiles } from "../processes/lease-files.js";
import { describeProcess } from "../processes/process-identity.js";
import type { PruneAnnouncement } from "../processes/prune-announcement.js";
import type { RootsSince } from "./roots-since.js";

/** What is removed between two looks at the leases. */
const removalsBetweenLooks = 256;
/** A look that is older was followed by a stop of the process: others may have gone on without it. */
const staleMs = 1000;

/** Why a digest must stay; `named`: it is below a manifest that came while the prune was at work. */
export interface Hold {
  readonly reason: "pinned" | "leased" | "named";
  /** The process that leases it, for people. */
  readonly holder?: string;
}

export type Holds = ReadonlyMap<Digest, Hold>;

/** Others went on without this prune: what it has chosen may be needed by now, so it starts over. */
export class PruneEvicted extends Error {}

/** What a prune must leave, looked at again and again while it removes. */
export class PruneHolds {
  readonly #store: BlobStore;
  readonly #leases: LeaseFiles;
  readonly #pins: DigestFiles;
  /** Undefined in a dry run. */
  readonly #announcement: PruneAnnouncement | undefined;
  #since: RootsSince | undefined;
  /** Everything that was leased at any time since, where that counts. */
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

  /** As of the last look. */
  get current(): Holds {
    return this.#current;
  }

  /** Looks also for images that come from now on. */
  watch(since: RootsSince): void {
    this.#since = since;
  }

  /** One that is gone is new when it comes again. */
  forget(manifest: Digest): void {
    this.#since?.forget(manifest);
  }

  /** Whether what is leased at a look counts as leased until the next call. */
  remember(isRemembered: boolean): void {
    this.#leasedSince = isRemembered ? new Map() : undefined;
  }

  /** Nothing is removed before the next look. */
  rest(): void {
    this.#announcement?.rest();
    this.#sinceLook = Number.POSITIVE_INFINITY;
  }

  /** Looks at new leases, if that is due; to be called before each removal. Undefined where no look is due. @throws PruneEvicted */
  lookIfDue(): Promise<void> | undefined {
    const turn = this.#store.yields.yieldIfDue();
    const { steadyMs, wallMs } = this.#looked;
    // The steady clock stands still while a machine sleeps, the other may be set.
    const isFresh = performance.now() - steadyMs < staleMs && Math.abs(Date.now() - wallMs) < 2 * staleMs;
    return turn === undefined && isFresh && this.#sinceLook++ < removalsBetweenLooks ? undefined : this.look(turn);
  }

  /** @throws PruneEvicted */
  async look(turn?: Promise<void>): Promise<void> {
    await turn;
    this.#announcement?.look();
    const holders = this.#leases.current({ evictSilent: this.#announcement !== undefined });
    // Later than the look: a lease that is not seen belongs to a process that waits, or that continued without this prune.
    this.assertNotEvicted();
    this.#looked = { steadyMs: performance.now(), wallMs: Date.now() };
    this.#sinceLook = 0;
    const holds = new Map<Digest, Hold>();
    // In this order: a lease is released only after what is to stay has its name.
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

  /** The path by which a file is removed: there is none once others went on without this prune. @throws PruneEvicted */
  removalPath(path: string): string {
    const through = this.#announcement?.removalPath(path);
    if (through === undefined) this.assertNotEvicted();
    return through ?? path;
  }

  /** To be called where a removal found nothing. @throws PruneEvicted */
  assertNotEvicted(): void {
    if (this.#announcement?.isEvicted()) throw new PruneEvicted("others went on without this prune");
  }

  end(): void {
    this.#announcement?.end();
  }
}
