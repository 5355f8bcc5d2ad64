import type { Cancellable } from "./cancellable.js";
import type { Digest } from "./digest.js";

/** What is known of a kept mote. `size` in bytes. */
export interface MoteInfo {
  readonly digest: Digest;
  readonly size: number;
  /** `application/octet-stream` where the cache keeps no media types. */
  readonly mediaType: string;
}

/** A pending mote, from `createMote`. It counts as nothing until a writer has closed or it was committed. */
export interface Mote {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes, where known. */
  readonly size?: number;
}

/** `copy` keeps the source file; `move` takes it away, whether or not the mote was there already. */
export type CommitMode = "copy" | "move";

/** A part of a mote: bytes from `start` (default 0) up to, not including, `end` (default and at most its size). */
export interface ReadOptions extends Cancellable {
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  /** Whether it counts as a use, by which `prune` decides what goes. Default true; who only looks says false. */
  readonly countsAsUse?: boolean | undefined;
  /**
   * Default false: chunks are the caller's to keep. True where he is done with each when he asks for the next, so that its memory can be
   * used again, which is faster and takes less of it.
   */
  readonly reuse?: boolean | undefined;
}

/**
 * A mote's bytes in order, to be read once. Chunks are the caller's to keep, unless he says otherwise. Where the reader verifies, a read of the whole
 * ends cleanly only if the bytes hash to the digest; a damaged mote ends in `MOTE_CORRUPT`.
 */
export interface MoteReader extends AsyncIterable<Uint8Array>, AsyncDisposable {
  readonly info: MoteInfo;
  /** Harmless when repeated, and after the end. */
  close(): Promise<void>;
}

/** A mote's bytes at any position. */
export interface MoteReaderAt extends AsyncDisposable {
  /** Bytes. */
  readonly size: number;
  /** Fills `into` from `position` on; answers how many bytes came: fewer than asked only at the end, 0 past it. */
  readAt(into: Uint8Array, position: number, options?: Cancellable): Promise<number>;
  close(): Promise<void>;
}

/**
 * Takes the bytes of one pending mote. Nothing is visible before `close` has checked size and digest; disposed without
 * `close`, it leaves nothing behind.
 */
export interface MoteWriter extends AsyncDisposable {
  readonly bytesWritten: number;
  /**
   * The bytes are the caller's again when it resolves.
   * @throws MOTE_SIZE_MISMATCH as soon as more bytes came than the mote has; MOTE_CLOSED after close or abort
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Commits. @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH, after which nothing of it remains */
  close(): Promise<MoteInfo>;
  /** Gives up: nothing of it remains. Harmless when repeated, and after close. */
  abort(): Promise<void>;
}

/** The reading half of a cache; all that a fallback or an upstream must be. Every method: @throws MOTE_INVALID_DIGEST. */
export interface MoteSource {
  /** True if it can be read here. Only not-found is false: a failure to find out is thrown. */
  moteExists(digest: Digest, options?: Cancellable): Promise<boolean>;
  find(digest: Digest, options?: Cancellable): Promise<MoteInfo | undefined>;
  /** Where it is, or would be: a file path, a URL. Not checked for existence. */
  moteRef(digest: Digest): string;
  /** @throws MOTE_NOT_FOUND · MOTE_CORRUPT while reading */
  moteReader(digest: Digest, options?: ReadOptions): Promise<MoteReader>;
  /** @throws MOTE_NOT_FOUND */
  moteReaderAt(digest: Digest, options?: Cancellable): Promise<MoteReaderAt>;
}

export interface RemoveOptions extends Cancellable {
  /** Leave what a process at work leases. Default false. A cache that has no leases removes it. */
  readonly unlessLeased?: boolean | undefined;
}

export interface PruneOptions extends Cancellable {
  /** Say what would be removed; remove nothing. */
  readonly dryRun?: boolean | undefined;
  /** Remove also what was last used longer ago than this, whatever the total. */
  readonly maxAgeMs?: number | undefined;
  /** Keep what is younger than this, though the total stays above `maxSize`. Default 0: exactly what is asked. */
  readonly minAgeMs?: number | undefined;
}

export interface PruneReport {
  readonly removed: readonly MoteInfo[];
  /** Bytes of the removed motes. */
  readonly removedBytes: number;
  /** Bytes that the disk really got back: a mote with another hard link to it gives none. */
  readonly freedBytes: number;
  /** Bytes of what is still there, damaged motes that were set aside included. */
  readonly remainingBytes: number;
  /** Damaged motes that were set aside and are removed now. They go first, unless they are younger than `minAgeMs`. */
  readonly quarantined?: { readonly files: number; readonly bytes: number };
  /** Names of tags that went with their manifests. */
  readonly untagged: readonly string[];
  /** What should have gone and could not, with an error code or `pinned`, `leased`. */
  readonly skipped: readonly {
    readonly digest: Digest;
    readonly size: number;
    readonly reason: string;
    /** Who leases it, for people: `process 123`. */
    readonly holder?: string;
  }[];
  /** Whether the total is at most `maxSize` now (in a dry run: would be). */
  readonly reached: boolean;
  readonly dryRun: boolean;
}

/** The keeping half. What a cache may offer beyond it is declared as an optional property: see `capabilities.ts`. */
export interface MoteStore extends MoteSource, AsyncDisposable {
  /** Open, or create what is missing. @throws MOTE_UNSUPPORTED_FORMAT · MOTE_UNWRITABLE · MOTE_IO */
  initialize(options?: Cancellable): Promise<void>;
  /** Changed since `initialize`. */
  isDirty(): boolean;
  /** Reload metadata; true if anything changed. */
  refresh(options?: Cancellable): Promise<boolean>;
  /** Write metadata back. */
  update(options?: Cancellable): Promise<void>;
  /** Makes a pending mote, good for one writer. `size` in bytes, where known. */
  createMote(digest: Digest, mediaType: string, size?: number, options?: Cancellable): Promise<Mote>;
  /** @throws MOTE_NOT_FOUND unless `createMote` came first */
  moteWriter(digest: Digest, options?: Cancellable): Promise<MoteWriter>;
  /**
   * Adds the file at the path `source`; nothing to do where the mote is there already.
   * @throws MOTE_NOT_FOUND no such file · MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH, and then the source stays
   */
  commitMote(source: string, mote: Mote, mode: CommitMode, options?: Cancellable): Promise<void>;
  /** Absent is fine. Who reads it reads on to the end. @throws MOTE_IN_USE with `unlessLeased` */
  removeMote(digest: Digest, options?: RemoveOptions): Promise<void>;
  /** Removes until the total is at most `maxSize` bytes, least recently used first. */
  prune(maxSize: number, options?: PruneOptions): Promise<PruneReport>;
}
