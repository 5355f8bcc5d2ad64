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
}

/**
 * What is known *about* blobs: where they have been seen, and which digests are one content in several forms. Only what was
 * verified here is recorded. `open` and `close` are optional: every method works without them.
 */
export interface BlobInfoCache extends AsyncDisposable {
  open(options?: Cancellable): Promise<void>;
  close(options?: Cancellable): Promise<void>;
  untransformedDigest(any: Digest, options?: Cancellable): Promise<Digest | undefined>;
  recordDigestUntransformedPair(any: Digest, untransformed: Digest, options?: Cancellable): Promise<void>;
  recordDigestTransformerName(any: Digest, transformerName: string, options?: Cancellable): Promise<void>;
  recordKnownLocation(
    transport: string,
    scope: string,
    digest: Digest,
    location: string,
    options?: Cancellable,
  ): Promise<void>;
  /** No candidates is an empty list. */
  candidateLocations(
    transport: string,
    scope: string,
    digest: Digest,
    options: CandidateOptions,
  ): Promise<ReplacementCandidate[]>;
}
