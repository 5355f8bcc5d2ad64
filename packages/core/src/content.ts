import type { Cancellable } from "./cancellable.js";
import type { Descriptor } from "./descriptor.js";
import type { Digest } from "./digest.js";
import type { MoteReader } from "./mote.js";
import type { Ref } from "./ref.js";
import type { Tag } from "./tag-store.js";

/** What a source or destination on the network waits for, and does about an error. Enough to draw it; never a secret. */
export type ContentEvent = {
  /** As references name it. */
  readonly registry: string;
  readonly repository?: string | undefined;
  readonly digest?: Digest | undefined;
} & (
  | {
      /** A request has not been answered for a second. */
      readonly type: "wait";
      /** The host that is asked: the registry, one of its mirrors, its token service, or where a redirect leads. */
      readonly host: string;
    }
  | {
      readonly type: "retry";
      /** The host that failed. */
      readonly host: string;
      /** Counted from 1. */
      readonly attempt: number;
      /** How many there are at most. */
      readonly retries: number;
      readonly delayMs: number;
      /** The status, or how the connection failed. */
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
  /** Called with what is done for this call. Calls that share a request, as for a token, share it with the first of them. */
  readonly onEvent?: ((event: ContentEvent) => void) | undefined;
}

/** Options of every call to a source or destination. */
export interface CallOptions extends Cancellable, EventOptions {}

export interface BlobOptions extends CallOptions {
  /** First byte wanted. Default 0. */
  readonly start?: number | undefined;
  /** Default true. A caller who checks size and digest himself says false, and so saves hashing twice. */
  readonly verifyOnRead?: boolean | undefined;
  /**
   * Default false: chunks are the caller's to keep. True where he is done with each when he asks for the next, so that its memory can be
   * used again.
   */
  readonly reuse?: boolean | undefined;
}

/** A question whose answer is worth only so much time. */
export interface TimeLimited extends CallOptions {
  /**
   * Milliseconds. A place that waits, repeats requests or asks several others one after another ends within this time, and rejects with
   * its last error, or MOTE_TIMEOUT. Default: the place's own limits.
   */
  readonly withinMs?: number | undefined;
}

export interface ResolveOptions extends TimeLimited {
  /** The manifest is asked for next: a place that can give both in one answer does so, and keeps it until then. Default false. */
  readonly manifestFollows?: boolean | undefined;
}

export interface ManifestOptions extends CallOptions {
  /** The caller gives the manifest a tag after everything else is there: a place that can take both in one request waits for it. Default false. */
  readonly tagFollows?: boolean | undefined;
}

/** A place that manifests and their blobs come from: one repository, one layout, one archive. */
export interface ContentSource extends Partial<AsyncDisposable> {
  /** This place, without tag and digest: where its blobs are recorded as seen. */
  readonly ref?: Ref | undefined;
  /** What a reference, a tag or a digest stands for here. @throws MOTE_NOT_FOUND */
  resolve(ref: Ref | string, options?: ResolveOptions): Promise<Descriptor>;
  /** The manifest's exact bytes, of the size and digest that the descriptor says. @throws MOTE_NOT_FOUND · MOTE_TOO_LARGE · MOTE_DIGEST_MISMATCH */
  manifest(descriptor: Descriptor, options?: TimeLimited): Promise<Uint8Array>;
  /** @throws MOTE_NOT_FOUND */
  blob(descriptor: Descriptor, options?: BlobOptions): Promise<MoteReader>;
  /**
   * Of a place that reads from several others: the one that all bytes of the blob came from, the last time it was read. It is
   * recorded instead of `ref`. Undefined: they came from more than one.
   */
  readFrom?(descriptor: Descriptor): Ref | undefined;
  /**
   * The blob's bytes were wrong, as only their end showed. True where another place is asked from now on, so that reading it
   * again from the start is worth while.
   */
  reportCorruption?(descriptor: Descriptor): boolean;
  /**
   * What is listed as referring to the manifest by its `subject`: a claim, until the referrer itself says so.
   * @throws MOTE_TOO_LARGE with the bound that was met
   */
  referrers?(descriptor: Descriptor, options?: CallOptions): AsyncIterable<Descriptor>;
  /**
   * What belongs to the manifest by the name of its tag, without a `subject`: cosign's signatures, attestations and SBOMs. Names are
   * tags, as `cosignTags` makes them.
   */
  taggedReferrers?(descriptor: Descriptor, options?: CallOptions): AsyncIterable<Tag>;
}

/** What a blob is in its plain form, as was seen when it was uncompressed. */
export interface PlainForm {
  readonly digest: Digest;
  readonly untransformed: Digest;
  /** How it was made of that, as the blob-info cache names it: `gzip`, `zstd`, or `untransformed`. */
  readonly transformer: string;
}

/** A place that manifests and their blobs go to. Whoever fills it sends blobs before the manifests that name them, tags last. */
export interface ContentDestination extends Partial<AsyncDisposable> {
  /** This place, without tag and digest: what candidates for a mount are looked up for, and where blobs are recorded as put. */
  readonly ref?: Ref | undefined;
  /** Whether the blob or manifest is there, whole as far as can be told without reading it. */
  has(descriptor: Descriptor, options?: CallOptions): Promise<boolean>;
  /**
   * Takes a blob. It counts only if `chunks` ends cleanly: what throws leaves nothing.
   * @throws MOTE_UPLOAD_LOST, or MOTE_DIGEST_MISMATCH with `details.mayResend`, if it may arrive when it is sent again
   */
  blob(descriptor: Descriptor, chunks: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<void>;
  /** Tries to have the blob without its bytes, from other places that are known to hold it. */
  mount?(descriptor: Descriptor, candidates: readonly Ref[], options?: CallOptions): Promise<boolean>;
  /** The path where the blob may be linked to by the cache; undefined where this one must be sent. */
  linkable?(descriptor: Descriptor): string | undefined;
  manifest(descriptor: Descriptor, bytes: Uint8Array, options?: ManifestOptions): Promise<void>;
  /**
   * Lets `name` stand for a manifest that is there. The manifest's own digest as name means that it gets none: a place that
   * lists what it holds then lists it nameless. @throws MOTE_INVALID_NAME
   */
  tag(name: string, descriptor: Descriptor, options?: CallOptions): Promise<void>;
  /** Called after the last tag. A place that becomes visible in one piece, such as an archive, does so now. */
  commit?(options?: CallOptions): Promise<void>;
  /** Of a place that uncompresses blobs: their plain forms, both digests verified. Asked for after `commit`. */
  plainForms?(): Iterable<PlainForm>;
}
