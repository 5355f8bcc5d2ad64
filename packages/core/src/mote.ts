import type { Cancellable } from "./cancellable.js";
import type { Digest } from "./digest.js";

/** Describes a stored mote. `size` in bytes. */
export interface MoteInfo {
  readonly digest: Digest;
  readonly size: number;
  /** `application/octet-stream` if the cache stores no media types. */
  readonly mediaType: string;
}

/** A pending mote from `createMote`. It is not stored until its writer is closed or it is committed. */
export interface Mote {
  readonly digest: Digest;
  readonly mediaType: string;
  /** In bytes, if known. */
  readonly size?: number;
}

/** `copy` keeps the source file; `move` removes it, even if the mote was already stored. */
export type CommitMode = "copy" | "move";

/** Selects the bytes from `start` (default 0) up to, not including, `end` (default and at most the size). */
export interface ReadOptions extends Cancellable {
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  /** Whether `prune` counts this as a use. Default true. Pass false when only inspecting. */
  readonly countsAsUse?: boolean | undefined;
  /** Whether a chunk's memory may be reused when the next chunk is read. Default false: the caller may keep the chunks. */
  readonly reuse?: boolean | undefined;
  /**
   * Whether a mote that has not changed since it was verified is hashed again. Default true. Pass false for many readers of large motes; the
   * chunks must not be changed then, because readers share them.
   */
  readonly rehash?: boolean | undefined;
  /** Whether a mote that is read completely is verified. Default: as the cache is configured. Pass false when the caller verifies it. */
  readonly verifyOnRead?: boolean | undefined;
}

/**
 * Reads a mote's bytes once, in order. A verifying reader that reads the complete mote ends cleanly only if the bytes match the digest; otherwise
 * it throws `MOTE_CORRUPT`.
 */
export interface MoteReader extends AsyncIterable<Uint8Array>, AsyncDisposable {
  readonly info: MoteInfo;
  /** Closes the reader. May be called repeatedly, also after the last chunk. */
  close(): Promise<void>;
}

/** Reads a mote's bytes at any position. */
export interface MoteReaderAt extends AsyncDisposable {
  /** In bytes. */
  readonly size: number;
  /** Reads into `into` from `position`. Returns the number of bytes read: fewer than requested only at the end, 0 past it. */
  readAt(into: Uint8Array, position: number, options?: Cancellable): Promise<number>;
  close(): Promise<void>;
}

/** Writes one pending mote. It becomes visible when `close` has verified size and digest; disposing without `close` discards it. */
export interface MoteWriter extends AsyncDisposable {
  readonly bytesWritten: number;
  /**
   * Writes bytes. The caller may reuse their memory when it resolves.
   * @throws MOTE_SIZE_MISMATCH as soon as more bytes were written than the mote has · MOTE_CLOSED after close or abort
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Verifies and commits the mote. @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH; the bytes are discarded then */
  close(): Promise<MoteInfo>;
  /** Discards the bytes. May be called repeatedly, and does nothing after close. */
  abort(): Promise<void>;
}

/** The read interface of a cache, and all that a fallback must implement. Every method: @throws MOTE_INVALID_DIGEST. */
export interface MoteSource {
  /** Returns whether the mote can be read. Errors other than not-found are thrown. */
  moteExists(digest: Digest, options?: Cancellable): Promise<boolean>;
  find(digest: Digest, options?: Cancellable): Promise<MoteInfo | undefined>;
  /** Returns the file path or URL where the mote is or would be, without checking that it exists. */
  moteRef(digest: Digest): string;
  /** @throws MOTE_NOT_FOUND · MOTE_CORRUPT while reading */
  moteReader(digest: Digest, options?: ReadOptions): Promise<MoteReader>;
  /** @throws MOTE_NOT_FOUND */
  moteReaderAt(digest: Digest, options?: Cancellable): Promise<MoteReaderAt>;
}

export interface RemoveOptions extends Cancellable {
  /** Whether to fail with MOTE_IN_USE if a process leases the mote. Default false. A cache without leases ignores it. */
  readonly unlessLeased?: boolean | undefined;
}

export interface PruneOptions extends Cancellable {
  /** Report what would be removed without removing it. */
  readonly dryRun?: boolean | undefined;
  /** Also remove motes last used longer ago than this, whatever the total. */
  readonly maxAgeMs?: number | undefined;
  /** Never remove motes used within this time, even if the total stays above `maxSize`. Default 0. */
  readonly minAgeMs?: number | undefined;
  /** Never remove these and what they refer to, as if they were pinned. */
  readonly keep?: ReadonlySet<Digest> | undefined;
}

export interface PruneReport {
  readonly removed: readonly MoteInfo[];
  /** Bytes of the removed motes. */
  readonly removedBytes: number;
  /** Bytes of disk space that were freed. Removing a mote that has another hard link frees none. */
  readonly freedBytes: number;
  /** Bytes still stored, quarantined files included. */
  readonly remainingBytes: number;
  /** Quarantined files that were removed. They are removed first, unless they are newer than `minAgeMs`. */
  readonly quarantined?: { readonly files: number; readonly bytes: number };
  /** Names of the tags that were removed with their manifests. */
  readonly untagged: readonly string[];
  /** Motes that could not be removed; the reason is an error code, `pinned`, `leased` or `waiting` (to be written to another tier). */
  readonly skipped: readonly {
    readonly digest: Digest;
    readonly size: number;
    readonly reason: string;
    /** Describes the process that leases it: `process 123`. */
    readonly holder?: string;
  }[];
  /** Whether the total is now at most `maxSize`, or in a dry run would be. */
  readonly reached: boolean;
  readonly dryRun: boolean;
}

/** What every cache implements. Optional capabilities are in `capabilities.ts`. */
export interface MoteStore extends MoteSource, AsyncDisposable {
  /** Opens the cache; creates what is missing. @throws MOTE_UNSUPPORTED_FORMAT · MOTE_UNWRITABLE · MOTE_IO */
  initialize(options?: Cancellable): Promise<void>;
  /** Returns whether the cache has changed since `initialize`. */
  isDirty(): boolean;
  /** Reloads metadata. Returns whether anything changed. */
  refresh(options?: Cancellable): Promise<boolean>;
  /** Writes metadata back. */
  update(options?: Cancellable): Promise<void>;
  /** Creates a pending mote for one writer. `size` in bytes, if known. */
  createMote(digest: Digest, mediaType: string, size?: number, options?: Cancellable): Promise<Mote>;
  /** Opens the writer of a pending mote. @throws MOTE_NOT_FOUND without a preceding `createMote` */
  moteWriter(digest: Digest, options?: Cancellable): Promise<MoteWriter>;
  /**
   * Adds the file at the path `source`, unless the mote is already stored.
   * @throws MOTE_NOT_FOUND if the file does not exist · MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH; the file is kept then
   */
  commitMote(source: string, mote: Mote, mode: CommitMode, options?: Cancellable): Promise<void>;
  /** Removes a mote, if it exists. Open readers can read it to the end. @throws MOTE_IN_USE with `unlessLeased` */
  removeMote(digest: Digest, options?: RemoveOptions): Promise<void>;
  /** Removes until the total is at most `maxSize` bytes, least recently used first. */
  prune(maxSize: number, options?: PruneOptions): Promise<PruneReport>;
}
