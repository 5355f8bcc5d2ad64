import type { ByteRange } from "./byte-ranges.js";
import type { Cancellable } from "./cancellable.js";
import type { Digest, Digester } from "./digest.js";
import type { Freshness } from "./freshness.js";
import type { Membership } from "./membership.js";
import type { Mote, MoteInfo, MoteStore, MoteWriter, PruneReport } from "./mote.js";
import type { TagStore } from "./tag-store.js";
import type { Uploads } from "./uploads.js";

/** A cache that can place motes in the file system without copying their bytes. */
export interface Linkable {
  /**
   * Places the mote at the path `target` atomically, as a reflink, a hard link or a copy. A mote that has changed since it was
   * verified is hashed first. Returns false if the cache does not have the mote, or does not own its file.
   * @throws MOTE_CORRUPT; nothing is created then
   */
  linkTo(digest: Digest, target: string, options?: Cancellable): Promise<boolean>;
}

/** Describes a stored mote as far as the cache knows. Times in Unix milliseconds. */
export interface StoredMote extends MoteInfo {
  /** When it was last used. `prune` removes the least recently used first. */
  readonly usedMs?: number | undefined;
  /** When it was stored. */
  readonly storedMs?: number | undefined;
  /** Whether it has not changed since it was verified. */
  readonly isVerified?: boolean | undefined;
}

/** A cache that can list its motes. Listing does not count as a use. */
export interface Enumerable {
  /** Yields all motes in no particular order. Motes that are added or removed meanwhile may be missed. */
  motes(options?: Cancellable): AsyncIterable<StoredMote>;
}

/** A cache that can remove a manifest and everything that only it refers to. */
export interface ClosureRemover {
  /**
   * Removes these manifests, their tags, and everything that only they refer to. A digest that is not a manifest is removed alone.
   * Pinned and leased motes are skipped, as in `prune`.
   */
  removeClosure(digests: Iterable<Digest>, options?: Cancellable): Promise<PruneReport>;
}

export interface VerifyOptions extends Cancellable {
  /** Motes hashed concurrently. */
  readonly concurrency?: number | undefined;
  /** Whether damaged motes stay in place. Default false: they are quarantined. */
  readonly keepDamaged?: boolean | undefined;
  /** Returns true for motes to skip, such as those that an interrupted run reported to `onProgress`. */
  readonly skip?: ((digest: Digest) => boolean) | undefined;
  /** Called after each mote, with the motes and bytes so far. */
  readonly onProgress?:
    | ((progress: { readonly digest: Digest; readonly motes: number; readonly bytes: number }) => void)
    | undefined;
}

export interface VerifyReport {
  readonly motes: number;
  readonly bytes: number;
  readonly damaged: readonly { readonly digest: Digest; readonly size: number; readonly setAsideAs?: string }[];
  /** Motes that could not be read; the reason is an error code. */
  readonly failed: readonly { readonly digest: Digest; readonly reason: string }[];
}

/** A cache that can verify its motes. */
export interface Verifiable {
  verify(options?: VerifyOptions): Promise<VerifyReport>;
  /**
   * Returns whether the mote is stored and matches its digest. A mote that has changed since it was verified is hashed; a damaged one is
   * quarantined. This counts as a use.
   */
  verifyMote(digest: Digest, options?: Cancellable): Promise<boolean>;
}

/** The size of the quarantine. */
export interface QuarantineSize {
  readonly files: number;
  readonly bytes: number;
}

/** A cache that quarantines damaged motes until the next prune. */
export interface Quarantine {
  quarantined(options?: Cancellable): Promise<QuarantineSize>;
}

/** A writer that continues where an earlier one stopped. */
export interface ResumableWriter extends MoteWriter {
  /** The offset in the mote of the next byte to write. The bytes before it have been hashed again. */
  readonly offset: number;
  /** Closes the writer and keeps its bytes for a later `resumeMote` in any process. */
  suspend(): Promise<void>;
}

/** A resumable writer that accepts the bytes of a mote in any order, such as from several connections. */
export interface RangedWriter extends ResumableWriter {
  /** The ranges that an earlier writer stored, sorted. A range that begins at 0 ends at `offset`. */
  readonly stored: readonly ByteRange[];
  /**
   * Writes bytes at an offset in the mote. Calls may overlap in time; bytes that were written before are skipped. The caller may reuse their
   * memory when it resolves.
   * @throws as `write`
   */
  writeAt(bytes: Uint8Array, offset: number): Promise<void>;
}

/** A cache that can continue an interrupted write, also of a process that has died. */
export interface ResumableIngest {
  /** Opens the writer of a pending mote. Bytes of an earlier writer are copied; its file is never appended to. */
  resumeMote(mote: Mote, options?: Cancellable): Promise<ResumableWriter>;
}

/** Reads a mote's bytes while another caller or process writes it. */
export interface MoteFollower extends AsyncIterable<Uint8Array>, AsyncDisposable {
  close(): Promise<void>;
}

export interface FollowOptions extends Cancellable {
  /** The first byte to read. Default 0. */
  readonly start?: number | undefined;
  /**
   * Whether bytes that are read from the first one on are hashed here, too. Default true. If false, a stream that ends cleanly had the bytes of the
   * committed mote, which its writer has verified; a cache that cannot know that hashes them anyway.
   */
  readonly verifyOnRead?: boolean | undefined;
  /** Whether a chunk's memory may be reused when the next chunk is read. Default false: the caller may keep the chunks. */
  readonly reuse?: boolean | undefined;
  /**
   * Called before `MOTE_WRITER_GONE` is thrown, for a caller that continues with another writer. `hash` resolves to the hash of the bytes that were
   * read; if they were not hashed meanwhile, all of them are read again.
   */
  readonly onGone?: ((hash: () => Promise<Digester>) => Promise<void>) | undefined;
}

export interface LeadOptions extends Cancellable {
  /**
   * Whether the caller has the bytes in any order: the writer is a `RangedWriter` if the cache supports that and the size of the mote is known.
   * Default false: it is one only to keep what an earlier one has stored after a gap.
   */
  readonly inAnyOrder?: boolean | undefined;
}

/**
 * A cache in which one caller writes a mote and callers in all processes read its bytes. Call `leadMote`; if it returns undefined, call
 * `followMote`; if that returns undefined or its stream throws `MOTE_WRITER_GONE`, call `leadMote` again.
 */
export interface SharedIngest {
  /** Opens a writer like `resumeMote`. Returns undefined if another writer is active or the mote is already stored. */
  leadMote(mote: Mote, options?: LeadOptions): Promise<ResumableWriter | undefined>;
  /**
   * Reads the bytes as they are written, before they are verified; the stream ends cleanly only after the commit. Reads a mote that is
   * already stored from the cache. Returns undefined if there is neither the mote nor a writer.
   * @throws MOTE_WRITER_GONE while reading, if the writer aborted or died; the next leader resumes its bytes · MOTE_CORRUPT
   */
  followMote(digest: Digest, options?: FollowOptions): Promise<MoteFollower | undefined>;
}

/** Protects motes from `prune` until it is released or its process ends. */
export interface Lease extends AsyncDisposable {
  add(digest: Digest): Promise<void>;
  /**
   * Renews the lease. Resolves to false if it may have lapsed since it was last renewed, for example because its process was suspended:
   * the leased motes may have been removed. Absent if leases cannot lapse.
   */
  renew?(options?: Cancellable): Promise<boolean>;
  release(): Promise<void>;
}

export interface Leases {
  lease(digests: Iterable<Digest>, options?: Cancellable): Promise<Lease>;
}

/** Motes that prune does not remove until they are unpinned. */
export interface Pins {
  pin(digest: Digest, options?: Cancellable): Promise<void>;
  unpin(digest: Digest, options?: Cancellable): Promise<void>;
  pins(options?: Cancellable): AsyncIterable<Digest>;
}

/** A cache that fetches motes from another tier. */
export interface Fillable {
  /** Fetches a mote from the other tier, unless this one has it. Returns whether it was fetched. @throws MOTE_NOT_FOUND · MOTE_CORRUPT */
  fill(
    digest: Digest,
    options?: Cancellable & {
      /** That of the mote. Saves the request that finds it out. */
      readonly mediaType?: string | undefined;
      /** Called with the number of bytes of the mote that are stored. Another caller's fetch does not call it. */
      readonly onBytes?: ((bytes: number) => void) | undefined;
    },
  ): Promise<boolean>;
}

/** A cache that looks up many motes at once, because it is far away. */
export interface BulkLookup {
  /** Returns those of the motes that exist, and their sizes in bytes. `moteExists` and `fill` may use the answers for some seconds. */
  existing(digests: Iterable<Digest>, options?: Cancellable): Promise<ReadonlyMap<Digest, number>>;
}

/** Motes of a cache that wait to be written to another tier. `prune` does not remove them. They outlive the process. */
export interface WaitingMotes {
  /** Adds a mote that is stored, or about to be. */
  add(mote: Mote, options?: Cancellable): Promise<void>;
  remove(digest: Digest, options?: Cancellable): Promise<void>;
  list(options?: Cancellable): AsyncIterable<Mote>;
}

/** A folder for temporary files. Disposal removes it. */
export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

/** A cache with space for temporary files next to its motes. Files of a process that died are removed by a later one. */
export interface TemporaryFolders {
  temporaryFolder(options?: Cancellable): Promise<TemporaryFolder>;
}

/** A store of motes. Capabilities beyond `MoteStore` are optional properties; a wrapper forwards those of the cache that it wraps. */
export interface MoteCache
  extends MoteStore,
    Partial<Linkable>,
    Partial<Enumerable>,
    Partial<ClosureRemover>,
    Partial<Verifiable>,
    Partial<Quarantine>,
    Partial<ResumableIngest>,
    Partial<SharedIngest>,
    Partial<Leases>,
    Partial<Fillable>,
    Partial<BulkLookup>,
    Partial<TemporaryFolders> {
  readonly pinned?: Pins;
  readonly tags?: TagStore;
  readonly membership?: Membership;
  readonly freshness?: Freshness;
  readonly waiting?: WaitingMotes;
  readonly uploads?: Uploads;
}

export function isRangedWriter(writer: MoteWriter | ResumableWriter): writer is RangedWriter {
  return "writeAt" in writer;
}
