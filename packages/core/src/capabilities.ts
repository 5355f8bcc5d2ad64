import type { Cancellable } from "./cancellable.js";
import type { Digest } from "./digest.js";
import type { Membership } from "./membership.js";
import type { Mote, MoteInfo, MoteStore, MoteWriter, PruneReport } from "./mote.js";
import type { TagStore } from "./tag-store.js";

/** A cache whose motes are files that can be given away without copying bytes. */
export interface Linkable {
  /**
   * Places the mote at the path `target`, atomically: reflink, else hard link, else copy. What was not verified since it last
   * changed is hashed first. False where the mote is not here, or not this cache's own to link.
   * @throws MOTE_CORRUPT, and then nothing is at `target`
   */
  linkTo(digest: Digest, target: string, options?: Cancellable): Promise<boolean>;
}

/** What a cache tells of a mote that it keeps, as far as it knows. Times in Unix milliseconds. */
export interface StoredMote extends MoteInfo {
  /** Its last use: what `prune` goes by. */
  readonly usedMs?: number | undefined;
  /** Since when it is kept. */
  readonly storedMs?: number | undefined;
  /** Whether it was verified since it last changed. */
  readonly isVerified?: boolean | undefined;
}

/** A cache that can tell what it keeps. To ask is no use of a mote. */
export interface Enumerable {
  /** In no particular order; what comes or goes meanwhile may be missed. */
  motes(options?: Cancellable): AsyncIterable<StoredMote>;
}

/** A cache that can remove what hangs together, and nothing that anybody else needs. */
export interface ClosureRemover {
  /**
   * Removes these manifests with their tags, and of what is below them all that no other manifest in the cache refers to. A digest
   * that is no manifest goes by itself. What is pinned or leased stays, as in `prune`; the report says so.
   */
  removeClosure(digests: Iterable<Digest>, options?: Cancellable): Promise<PruneReport>;
}

export interface VerifyOptions extends Cancellable {
  /** Motes hashed at once. */
  readonly concurrency?: number | undefined;
  /** Leave damaged motes where they are. Default: they are set aside, out of the readers' way. */
  readonly keepDamaged?: boolean | undefined;
  /** Passes over what an earlier, interrupted run has verified: note the digests that `onProgress` gives. */
  readonly skip?: ((digest: Digest) => boolean) | undefined;
  /** After each mote; with how many motes and bytes there were so far. */
  readonly onProgress?:
    | ((progress: { readonly digest: Digest; readonly motes: number; readonly bytes: number }) => void)
    | undefined;
}

export interface VerifyReport {
  readonly motes: number;
  readonly bytes: number;
  readonly damaged: readonly { readonly digest: Digest; readonly size: number; readonly setAsideAs?: string }[];
  /** What could not be read, with an error code. */
  readonly failed: readonly { readonly digest: Digest; readonly reason: string }[];
}

/** A cache that can hash again all that it keeps. */
export interface Verifiable {
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /**
   * Whether the mote is here, and sound: what was not verified since it last changed is hashed. A damaged one is set aside. It is asked by who is about
   * to need the mote, so it counts as use.
   */
  moteIsSound(digest: Digest, options?: Cancellable): Promise<boolean>;
}

/** Damaged motes that were set aside, and are of no use but to whoever looks for the cause. */
export interface Quarantined {
  readonly files: number;
  readonly bytes: number;
}

/** A cache that sets damaged motes aside, and removes them in a prune. */
export interface Quarantines {
  quarantined(options?: Cancellable): Promise<Quarantined>;
}

/** A writer that may begin after bytes that an earlier one left. */
export interface ResumableWriter extends MoteWriter {
  /** Bytes that were there and have been hashed again: the next byte to write is at this offset of the mote. */
  readonly offset: number;
  /** Ends the writer and keeps its bytes for a later `resumeMote`, in any process. */
  suspend(): Promise<void>;
}

/** A cache that can continue an interrupted write, also one of a process that died. */
export interface ResumableIngest {
  /** A pending mote's writer, begun or continued. The part is taken over by copying, never appended to. */
  resumeMote(mote: Mote, options?: Cancellable): Promise<ResumableWriter>;
}

/** A mote's bytes while somebody writes it. */
export interface MoteFollower extends AsyncIterable<Uint8Array>, AsyncDisposable {
  close(): Promise<void>;
}

export interface FollowOptions extends Cancellable {
  /** First byte wanted. Default 0. */
  readonly start?: number | undefined;
}

/**
 * A cache in which one writer leads and all others follow, in any process: ask `leadMote`; where it answers undefined, ask
 * `followMote`; where that answers undefined or its stream ends in `MOTE_WRITER_GONE`, ask `leadMote` again.
 */
export interface SharedIngest {
  /** As `resumeMote`; undefined where another writer is at work on it, or the mote is there already. */
  leadMote(mote: Mote, options?: Cancellable): Promise<ResumableWriter | undefined>;
  /**
   * The bytes as they come, not yet verified by anybody: the stream ends cleanly only after the commit. Of a mote that is there
   * already, its bytes. Undefined where neither it nor a writer is there.
   * @throws MOTE_WRITER_GONE while reading: the writer gave up or died; what it had is not lost to the next leader · MOTE_CORRUPT
   */
  followMote(digest: Digest, options?: FollowOptions): Promise<MoteFollower | undefined>;
}

/** Motes that a job in flight still needs. It ends with the process that holds it. */
export interface Lease extends AsyncDisposable {
  add(digest: Digest): Promise<void>;
  /**
   * Makes sure that the lease holds from now on. Resolves to false if it may not have held all the time since it was taken or last
   * renewed, as after its process was suspended for long: then what it holds may be gone, so look again. Absent where a lease cannot be
   * lost.
   */
  renew?(options?: Cancellable): Promise<boolean>;
  release(): Promise<void>;
}

export interface Leases {
  lease(digests: Iterable<Digest>, options?: Cancellable): Promise<Lease>;
}

/** Motes that prune never removes, until they are unpinned. */
export interface Pins {
  pin(digest: Digest, options?: Cancellable): Promise<void>;
  unpin(digest: Digest, options?: Cancellable): Promise<void>;
  pins(options?: Cancellable): AsyncIterable<Digest>;
}

/**
 * Where motes are kept. What a cache may offer beyond `MoteStore` is a property that is there or not; a wrapper forwards
 * those of what it wraps, and nobody guesses.
 */
export interface MoteCache
  extends MoteStore,
    Partial<Linkable>,
    Partial<Enumerable>,
    Partial<ClosureRemover>,
    Partial<Verifiable>,
    Partial<Quarantines>,
    Partial<ResumableIngest>,
    Partial<SharedIngest>,
    Partial<Leases> {
  readonly pinned?: Pins;
  readonly tags?: TagStore;
  readonly membership?: Membership;
}
