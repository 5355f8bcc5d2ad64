import type { Cancellable } from "./cancellable.js";
import type { Digest } from "./digest.js";

/** The transformer name of content in its plain form. */
export const UNTRANSFORMED = "untransformed";
/** The transformer name that means: nothing is known. Recording it forgets what was. */
export const UNKNOWN_TRANSFORMER = "unknown";
/** The scope under which `LayerLocator` records. */
export const LAYER_SCOPE = "Layer";

/** A digest that would serve, and where it has been seen. Without `location`, the content is known and the place is not. */
export interface ReplacementCandidate {
  readonly digest: Digest;
  readonly transformerName: string;
  readonly location?: string;
  /** Unix milliseconds. */
  readonly lastSeenMs?: number;
}

export interface CandidateOptions extends Cancellable {
  /** Whether other forms of the same content (compressed, encrypted) would serve. */
  readonly canSubstitute: boolean;
  /** At most this many candidates. Default: all. */
  readonly max?: number | undefined;
  /**
   * Whether to name, after the others and within `max`, up to two forms that have no known location here although something
   * is known of their content. Default false.
   */
  readonly includeUnknownLocations?: boolean | undefined;
  /** Only these transformers serve. A base (`zstd`) takes its variants too (`zstd:chunked`). Default: any, known or not. */
  readonly requiredTransformers?: readonly string[] | undefined;
  /** Of the substitutes, those of these transformers come first, in this order; the untransformed one stays last. */
  readonly preferredTransformers?: readonly string[] | undefined;
}

/** A blob-info cache that takes evidence that a blob is not there any more. */
export interface LocationRemover {
  /**
   * The location is no candidate any more. That it is gone is remembered for a while, so that a merge of older knowledge does
   * not bring it back; a later `recordKnownLocation` does.
   */
  forgetLocation(
    transport: string,
    scope: string,
    digest: Digest,
    location: string,
    options?: Cancellable,
  ): Promise<void>;
}

/** A blob-info cache whose knowledge can be carried elsewhere. */
export interface FactExporter {
  /** JSON lines, each ending in a line feed; `BlobFact` of `@mote/bic` has their form. What is recorded meanwhile may be missed. */
  export(options?: Cancellable): AsyncIterable<string>;
}

export interface MergeReport {
  /** Facts read. */
  readonly facts: number;
  /** Those of them that were news. */
  readonly changed: number;
}

/** A blob-info cache that takes over the knowledge of another. */
export interface FactMerger {
  /**
   * Reads what `export` wrote, in pieces of any length. Of two facts about one thing the newer stays, and the order of time is
   * kept. The source is trusted: merge only what another cache of yours has verified. What came before a bad line stays.
   * @throws MOTE_INVALID_FACT with the line · MOTE_UNSUPPORTED_FORMAT · MOTE_TOO_LARGE a line above 20 Mi characters
   */
  merge(text: AsyncIterable<string> | Iterable<string>, options?: Cancellable): Promise<MergeReport>;
}

export interface ExpireOptions extends Cancellable {
  /** Forget locations last seen longer ago than this. What is known of content stays true, and stays. */
  readonly maxAgeMs?: number | undefined;
  /** Then forget the oldest facts of any kind until no more than this many are left. */
  readonly maxFacts?: number | undefined;
}

/** A blob-info cache that can be made to forget what is old. */
export interface FactExpirer {
  /** Answers how many facts went. */
  expire(options: ExpireOptions): Promise<number>;
}

export interface BlobInfoStatistics {
  /** Places where a blob is known to be. */
  readonly locations: number;
  /** Places where a blob is known not to be any more. */
  readonly absences: number;
  /** Digests whose untransformed form is known. */
  readonly pairs: number;
  /** Digests whose transformer is known. */
  readonly transformers: number;
  /** Bytes on disk; 0 where nothing is kept there. */
  readonly sizeBytes: number;
  /** Where new facts go: to disk, to memory only, or nowhere. */
  readonly mode: "persistent" | "memory" | "read-only";
  /** Calls of `candidateLocations` on this object, and those that found something. */
  readonly lookups: number;
  readonly hits: number;
}

/** A blob-info cache that can tell how much it knows. */
export interface FactStatistics {
  statistics(options?: Cancellable): Promise<BlobInfoStatistics>;
}

/**
 * What is known *about* blobs: where they have been seen, and which digests are one content in several forms. Only what was
 * verified here is recorded. `open` is optional: every method works without it. After `close` every method, `open` too, is
 * MOTE_CLOSED. What a backend may offer beyond the plain methods is a property that is there or not.
 *
 * Every method: @throws MOTE_INVALID_DIGEST · MOTE_UNSUPPORTED_ALGORITHM · MOTE_CLOSED, and what its storage throws. Whoever can
 * do without the answer logs the error and goes on.
 */
export interface BlobInfoCache
  extends AsyncDisposable,
    Partial<LocationRemover>,
    Partial<FactExporter>,
    Partial<FactMerger>,
    Partial<FactExpirer>,
    Partial<FactStatistics> {
  open(options?: Cancellable): Promise<void>;
  /** Harmless when repeated. */
  close(options?: Cancellable): Promise<void>;
  /** The plain form of `any`: `any` itself where it is known to be plain; undefined where nothing is known. */
  untransformedDigest(any: Digest, options?: Cancellable): Promise<Digest | undefined>;
  /**
   * `untransformed` is the plain form of `any`, and so of itself. A conflicting pair is overwritten, with a warning to the
   * logger. Sets no transformer name.
   */
  recordDigestUntransformedPair(any: Digest, untransformed: Digest, options?: Cancellable): Promise<void>;
  /**
   * How `any` was made: `untransformed`, an algorithm's name (`gzip`), or base and variant (`zstd:chunked`). The base alone
   * does not overwrite a known variant of it. `unknown` forgets what was known.
   */
  recordDigestTransformerName(any: Digest, transformerName: string, options?: Cancellable): Promise<void>;
  /** Recording again renews the time. Transport, scope and location are any text of at most 1 Mi characters. */
  recordKnownLocation(
    transport: string,
    scope: string,
    digest: Digest,
    location: string,
    options?: Cancellable,
  ): Promise<void>;
  /**
   * The digest's own locations, newest first; with substitution, then those of other forms of the same content, newest first,
   * and the untransformed one's last. No candidates is an empty list.
   */
  candidateLocations(
    transport: string,
    scope: string,
    digest: Digest,
    options: CandidateOptions,
  ): Promise<ReplacementCandidate[]>;
}
