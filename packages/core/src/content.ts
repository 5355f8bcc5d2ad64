import type { Cancellable } from "./cancellable.js";
import type { Descriptor } from "./descriptor.js";
import type { Digest } from "./digest.js";
import type { MoteReader } from "./mote.js";
import type { Ref } from "./ref.js";
import type { Tag } from "./tag-store.js";

/** Reports what a source or destination on the network waits for or retries. Never contains a secret. */
export type ContentEvent = {
  /** As in a reference. */
  readonly registry: string;
  readonly repository?: string | undefined;
  readonly digest?: Digest | undefined;
} & (
  | {
      /** A request has had no response for a second. */
      readonly type: "wait";
      /** The requested host: the registry, a mirror, its token service, or a redirect target. */
      readonly host: string;
    }
  | {
      readonly type: "retry";
      /** The host that failed. */
      readonly host: string;
      /** Counted from 1. */
      readonly attempt: number;
      /** The maximum number of retries. */
      readonly retries: number;
      readonly delayMs: number;
      /** The status or the connection error. */
      readonly reason: string;
    }
  | {
      readonly type: "resume";
      /** The byte of the blob at which reading continues. */
      readonly offset: number;
      readonly reason: string;
    }
);

export interface EventOptions {
  /** Receives the events of this call. A request that several calls share, such as for a token, reports to the first of them. */
  readonly onEvent?: ((event: ContentEvent) => void) | undefined;
}

/** Options of every call to a source or destination. */
export interface CallOptions extends Cancellable, EventOptions {}

/** What the reads of several ranges of one blob share. The caller passes the same empty object to each, and the source fills it. */
export interface RangeAgreement {
  /** Whether the source has responded. */
  hasResponse?: boolean;
  /** The strong validator (RFC 9110, section 8.8.1) of the first response. Later responses must have the same. */
  validator?: string | undefined;
  /** Whether the first response has the blob up to its end instead of the range. The reader yields all of it. */
  isWhole?: boolean;
}

export interface BlobOptions extends CallOptions {
  /** The first byte to read. Default 0. */
  readonly start?: number | undefined;
  /** The first byte that the caller does not need. A source may send more. Default: the size. */
  readonly end?: number | undefined;
  /**
   * Set for one of several ranges that are read in parallel: the source sends exactly `start` to `end`, except if its first response is whole.
   * @throws MOTE_RANGE_REFUSED
   */
  readonly ranges?: RangeAgreement | undefined;
  /** Whether to verify size and digest. Default true. Pass false when the caller verifies them. */
  readonly verifyOnRead?: boolean | undefined;
  /** Whether a chunk's memory may be reused when the next chunk is read. Default false: the caller may keep the chunks. */
  readonly reuse?: boolean | undefined;
}

/** Options of calls with a time limit. */
export interface TimeLimited extends CallOptions {
  /**
   * The total time in milliseconds, retries and fallbacks included, after which the call rejects with the last error or MOTE_TIMEOUT.
   * Default: the limits of the source.
   */
  readonly timeoutMs?: number | undefined;
}

export interface ResolveOptions extends TimeLimited {
  /** Whether `manifest` is called next, so that the source may fetch the manifest in the same request. Default false. */
  readonly manifestFollows?: boolean | undefined;
  /** Whether blobs are probably read next, so that the source may open connections for them with this request. Default false. */
  readonly blobsFollow?: boolean | undefined;
}

export interface ManifestOptions extends CallOptions {
  /** Whether the manifest is tagged later, so that the destination may delay it and send both in one request. Default false. */
  readonly tagFollows?: boolean | undefined;
}

/** Reads manifests and blobs from one location, such as a repository, a layout or an archive. */
export interface ContentSource extends Partial<AsyncDisposable> {
  /** The location without tag and digest, which is recorded for its blobs. */
  readonly ref?: Ref | undefined;
  /** Whether content of its manifests may be missing, as in archives and layouts with some platforms, and can be checked locally. */
  readonly mayLackBlobs?: boolean | undefined;
  /** Whether `blob` supports `ranges`, and several connections may be faster than one. Default false. */
  readonly servesRanges?: boolean | undefined;
  /** Resolves a reference, tag or digest. @throws MOTE_NOT_FOUND */
  resolve(ref: Ref | string, options?: ResolveOptions): Promise<Descriptor>;
  /** Returns the manifest's bytes, verified against the descriptor. @throws MOTE_NOT_FOUND · MOTE_TOO_LARGE · MOTE_DIGEST_MISMATCH */
  manifest(descriptor: Descriptor, options?: TimeLimited): Promise<Uint8Array>;
  /** Opens a blob. @throws MOTE_NOT_FOUND */
  blob(descriptor: Descriptor, options?: BlobOptions): Promise<MoteReader>;
  /**
   * Returns the location that served all bytes of the blob when it was last read, which is recorded instead of `ref`; undefined if several
   * did. Implemented by sources that read from several locations.
   */
  servedBy?(descriptor: Descriptor): Ref | undefined;
  /**
   * Reports that the bytes of a blob did not match its digest. Returns true if the source uses another location from now on, so that the
   * caller should read the blob again.
   */
  reportCorruption?(descriptor: Descriptor): boolean;
  /**
   * Lists the referrers of a manifest. They are not verified: read each referrer and check its `subject`.
   * @throws MOTE_TOO_LARGE with the limit
   */
  referrers?(descriptor: Descriptor, options?: CallOptions): AsyncIterable<Descriptor>;
  /**
   * Lists the manifests that belong to a manifest by their tag instead of a `subject`: cosign's signatures, attestations and SBOMs under the
   * tags of `cosignTags`.
   */
  taggedReferrers?(descriptor: Descriptor, options?: CallOptions): AsyncIterable<Tag>;
  /**
   * Returns what refers to a manifest, for display. Implemented by sources that can do so in fewer requests than by the methods above.
   * @throws as `referrers`
   */
  summarizeReferrers?(descriptor: Descriptor, options?: CallOptions): Promise<ReferrerSummary>;
}

/** What refers to a manifest. */
export interface ReferrerSummary {
  /** Not verified. */
  readonly referrers: readonly Descriptor[];
  /** Those of `cosignTags` that exist, as far as that was requested. */
  readonly tags: readonly string[];
}

/** A blob that a destination has decompressed. */
export interface DecompressedBlob {
  readonly digest: Digest;
  readonly untransformed: Digest;
  /** The transformer name of `digest`: `gzip`, `zstd`, or `untransformed`. */
  readonly transformer: string;
}

/** Writes manifests and blobs to one location. Callers send blobs before the manifests that refer to them, and tags last. */
export interface ContentDestination extends Partial<AsyncDisposable> {
  /** The location without tag and digest, which is recorded for its blobs and used to find mount candidates. */
  readonly ref?: Ref | undefined;
  /** Returns whether a blob is to be moved. Asked after `verify` has accepted the manifests. Default: all are. */
  wants?(descriptor: Descriptor): boolean;
  /** Returns whether the blob or manifest exists. Its content is not read. */
  has(descriptor: Descriptor, options?: CallOptions): Promise<boolean>;
  /**
   * Writes a blob. Discards it if `chunks` throws.
   * @throws MOTE_UPLOAD_LOST, or MOTE_DIGEST_MISMATCH with `details.mayResend`, if sending it again may succeed
   */
  blob(descriptor: Descriptor, chunks: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<void>;
  /** Returns other locations that are known to have the blob, from which `mount` may succeed, the best first. */
  mountSources?(descriptor: Descriptor): readonly Ref[];
  /** Tries to mount a blob from other repositories that are known to have it. Returns whether it did. */
  mount?(descriptor: Descriptor, candidates: readonly Ref[], options?: CallOptions): Promise<boolean>;
  /** Returns the path where the cache may link the blob; undefined if the blob must be sent. */
  linkable?(descriptor: Descriptor): string | undefined;
  manifest(descriptor: Descriptor, bytes: Uint8Array, options?: ManifestOptions): Promise<void>;
  /**
   * Tags a manifest. If `name` is the digest of the manifest, it gets no tag, and a location with an index lists it without a name.
   * @throws MOTE_INVALID_NAME
   */
  tag(name: string, descriptor: Descriptor, options?: CallOptions): Promise<void>;
  /** Makes everything visible, if the destination is written atomically, such as an archive. Called after the last tag. */
  commit?(options?: CallOptions): Promise<void>;
  /** Returns the blobs that were decompressed, with both digests verified. Called after `commit`. */
  decompressedBlobs?(): Iterable<DecompressedBlob>;
}
