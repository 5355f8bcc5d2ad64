import type { Cancellable } from "./cancellable.js";
import type { Digest } from "./digest.js";

/** The transformer name of untransformed content. */
export const UNTRANSFORMED = "untransformed";
/** The transformer name of digests about which nothing is known. Recording it removes the known name. */
export const UNKNOWN_TRANSFORMER = "unknown";
/** The scope under which `LayerLocator` records. */
export const LAYER_SCOPE = "Layer";

/** A usable digest and where it has been seen. Without `location`, only the content is known. */
export interface ReplacementCandidate {
  readonly digest: Digest;
  readonly transformerName: string;
  readonly location?: string;
  /** Unix milliseconds. */
  readonly lastSeenMs?: number;
}

export interface CandidateOptions extends Cancellable {
  /** Whether other forms of the same content (compressed, encrypted) are usable. */
  readonly canSubstitute: boolean;
  /** At most this many candidates. Default: all. */
  readonly max?: number | undefined;
  /**
   * Whether to append up to two candidates without a known location, within `max`. Default false.
   */
  readonly includeUnknownLocations?: boolean | undefined;
  /** Accepted transformers. A base (`zstd`) includes its variants (`zstd:chunked`). Default: any, known or unknown. */
  readonly requiredTransformers?: readonly string[] | undefined;
  /** Transformers whose substitutes come first, in this order. The untransformed form stays last. */
  readonly preferredTransformers?: readonly string[] | undefined;
}

/** A blob-info cache that can record that a blob is no longer at a location. */
export interface LocationRemover {
  /**
   * Removes a location. A negative record is kept for some time, so that merging older records does not restore the location; a later
   * `recordKnownLocation` does.
   */
  removeKnownLocation(
    transport: string,
    scope: string,
    digest: Digest,
    location: string,
    options?: Cancellable,
  ): Promise<void>;
}

/** A blob-info cache that can export its facts. */
export interface FactExporter {
  /** Yields JSON lines in the form of `BlobFact` of `@mote/bic`, each ending in a line feed. Facts recorded meanwhile may be missed. */
  export(options?: Cancellable): AsyncIterable<string>;
}

export interface MergeReport {
  /** Facts that were read. */
  readonly facts: number;
  /** Facts that were new. */
  readonly changed: number;
}

/** A blob-info cache that can merge the facts of another. */
export interface FactMerger {
  /**
   * Merges the output of `export`, in chunks of any length. Newer facts replace older ones. The facts are not verified: merge only those of
   * a cache that you trust. Facts before an invalid line are kept.
   * @throws MOTE_INVALID_FACT with the line · MOTE_UNSUPPORTED_FORMAT · MOTE_TOO_LARGE for a line above 20 Mi characters
   */
  merge(text: AsyncIterable<string> | Iterable<string>, options?: Cancellable): Promise<MergeReport>;
}

export interface ExpireOptions extends Cancellable {
  /** Remove locations last seen longer ago than this. Facts about content do not expire. */
  readonly maxAgeMs?: number | undefined;
  /** Then remove the oldest facts of any kind until at most this many remain. */
  readonly maxFacts?: number | undefined;
}

/** A blob-info cache that can remove old facts. */
export interface FactExpirer {
  /** Returns the number of facts that were removed. */
  expire(options: ExpireOptions): Promise<number>;
}

export interface BlobInfoStatistics {
  /** Location records. */
  readonly locations: number;
  /** Negative records. */
  readonly negativeRecords: number;
  /** Digests whose untransformed digest is known. */
  readonly pairs: number;
  /** Digests whose transformer is known. */
  readonly transformers: number;
  /** Bytes on disk; 0 for a cache in memory. */
  readonly sizeBytes: number;
  /** Where new facts are stored: on disk, in memory only, or nowhere. */
  readonly mode: "persistent" | "memory" | "read-only";
  /** Calls of `candidateLocations` on this object; `hits` returned candidates. */
  readonly lookups: number;
  readonly hits: number;
}

/** A blob-info cache that can count its facts. */
export interface FactStatistics {
  statistics(options?: Cancellable): Promise<BlobInfoStatistics>;
}

/**
 * Records where blobs have been seen, and which digests are the same content in another form. Record only what was verified here. Calling
 * `open` is optional. Further capabilities are optional properties.
 *
 * Every method: @throws MOTE_INVALID_DIGEST · MOTE_UNSUPPORTED_ALGORITHM · MOTE_CLOSED after `close` · what its storage throws. Callers
 * that do not need the result log the error and continue.
 */
export interface BlobInfoCache
  extends AsyncDisposable,
    Partial<LocationRemover>,
    Partial<FactExporter>,
    Partial<FactMerger>,
    Partial<FactExpirer>,
    Partial<FactStatistics> {
  open(options?: Cancellable): Promise<void>;
  /** Closes the cache. May be called repeatedly. */
  close(options?: Cancellable): Promise<void>;
  /** Returns the untransformed digest of `any`, which may be `any` itself; undefined if it is not known. */
  untransformedDigest(any: Digest, options?: Cancellable): Promise<Digest | undefined>;
  /**
   * Records `untransformed` as the untransformed digest of `any` and of itself. Replaces a conflicting pair and logs a warning. Does not
   * set a transformer name.
   */
  recordDigestUntransformedPair(any: Digest, untransformed: Digest, options?: Cancellable): Promise<void>;
  /**
   * Records how `any` was made: `untransformed`, an algorithm (`gzip`), or a base and variant (`zstd:chunked`). A base does not replace a
   * known variant of it. `unknown` removes the known name.
   */
  recordDigestTransformerName(any: Digest, transformerName: string, options?: Cancellable): Promise<void>;
  /** Records a location or renews its time. Transport, scope and location are any text of at most 1 Mi characters. */
  recordKnownLocation(
    transport: string,
    scope: string,
    digest: Digest,
    location: string,
    options?: Cancellable,
  ): Promise<void>;
  /**
   * Returns the digest's locations, newest first. With substitution, the locations of other forms follow, newest first, and those of the
   * untransformed form last.
   */
  candidateLocations(
    transport: string,
    scope: string,
    digest: Digest,
    options: CandidateOptions,
  ): Promise<ReplacementCandidate[]>;
}
