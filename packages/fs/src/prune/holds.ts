import type { Digest, PruneOptions } from "@mote/core";
import { describeProcess } from "../processes/process-identity.js";
import type { PruneAnnouncement } from "../processes/prune-announcement.js";
import type { PruneDependencies } from "./dependencies.js";
import type { RootsSince } from "./roots-since.js";

/** Removals after which the leases are read again. */
const removalsBetweenLooks = 256;
/** If the last look is older, the process was suspended: others may have evicted it. */
const staleMs = 1000;

/** Why a digest is kept. `named`: a manifest added during the prune references it. `waiting`: it is to be written to another tier. */
export interface Hold {
  readonly reason: "pinned" | "leased" | "named" | "waiting";
  /** The process that leases it, as text for users. */
  readonly holder?: string;
}

export type Holds = ReadonlyMap<Digest, Hold>;

/** Another process evicted this prune. It starts over, as its candidates may be in use by now. */
export class PruneEvicted extends Error {}

/** The digests that a prune must not remove, updated regularly while it removes. */
export class PruneHolds {
  readonly #from: PruneDependencies;
  readonly #keep: Iterable<Digest>;
  /** Undefined in a dry run. */
  readonly #announcement: PruneAnnouncement | undefined;
  #since: RootsSince | undefined;
  /** Everything leased at any time since `remember(true)`; otherwise undefined. */
  #leasedSince: Map<Digest, Hold> | undefined;
  #current: Holds = new Map();
  #sinceLook = Number.POSITIVE_INFINITY;
  #looked = { steadyMs: 0, wallMs: 0 };

  constructor(
    from: PruneDependencies,
    { dryRun = false, keep = new Set() }: Pick<PruneOptions, "dryRun" | "keep"> = {},
  ) {
    this.#from = from;
    this.#keep = keep;
    this.#announcement = dryRun ? undefined : from.leases.announcePrune();
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

  /** Sets whether leases count until the next call, even after their release. */
  remember(isRemembered: boolean): void {
    this.#leasedSince = isRemembered ? new Map() : undefined;
  }

  /** Announces that nothing is removed before the next look. */
  rest(): void {
    this.#announcement?.rest();
    this.#sinceLook = Number.POSITIVE_INFINITY;
  }

  /** Reads new leases, if due. Call it before each removal. Returns undefined if not due. @throws PruneEvicted */
  lookIfDue(): Promise<void> | undefined {
    const turn = this.#from.store.yields.yieldIfDue();
    const { steadyMs, wallMs } = this.#looked;
    // The monotonic clock stops while the machine sleeps, and the wall clock may be set.
    const isFresh = performance.now() - steadyMs < staleMs && Math.abs(Date.now() - wallMs) < 2 * staleMs;
    return turn === undefined && isFresh && this.#sinceLook++ < removalsBetweenLooks ? undefined : this.look(turn);
  }

  /** @throws PruneEvicted */
  async look(turn?: Promise<void>): Promise<void> {
    await turn;
    this.#announcement?.look();
    const holders = this.#from.leases.current({ evictSilent: this.#announcement !== undefined });
    // After the leases: the process of a lease missed above waits for this prune, or has evicted it.
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
    for (const digest of this.#keep) holds.set(digest, { reason: "pinned" });
    for (const digest of this.#from.waiting.list()) holds.set(digest, { reason: "waiting" });
    for (const digest of this.#from.pins.list()) holds.set(digest, { reason: "pinned" });
    this.#current = holds;
  }

  /** Returns the path by which to remove a file. @throws PruneEvicted */
  removalPath(path: string): string {
    const through = this.#announcement?.removalPath(path);
    if (through === undefined) this.assertNotEvicted();
    return through ?? path;
  }

  /** Call it if the file to remove is gone. @throws PruneEvicted */
  assertNotEvicted(): void {
    if (this.#announcement?.isEvicted()) throw new PruneEvicted("others went on without this prune");
  }

  end(): void {
    this.#announcement?.end();
  }
}
