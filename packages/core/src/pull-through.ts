import type { Cancellable } from "./cancellable.js";
import type { CallOptions } from "./content.js";
import type { Descriptor } from "./descriptor.js";
import type { Digest } from "./digest.js";
import type { MoteInfo, MoteReader } from "./mote.js";

/** A repository of an upstream registry. */
export interface UpstreamRepository {
  /** The registry as in references, such as `docker.io`. */
  readonly upstream: string;
  /** The `<name>` at the upstream (distribution-spec), such as `library/alpine`. */
  readonly path: string;
  /** The full name, `REGISTRY/PATH`, under which its manifests are recorded. */
  readonly full: string;
}

/** A manifest of an upstream repository. It is stored in the cache, unless the cache cannot be written. */
export interface UpstreamManifest {
  readonly descriptor: Descriptor;
  /** Verified. */
  readonly bytes: Uint8Array;
  /** Whether it was found without a request to the upstream of its own. */
  readonly isHit: boolean;
  /** Why the tag could not be checked at the upstream. Undefined if the result is fresh. */
  readonly staleReason?: string | undefined;
}

/** What was fetched for an image. */
export interface WarmReport {
  /** Of its manifest or index. */
  readonly digest: Digest;
  /** Of all its blobs. */
  readonly bytes: number;
  /** Of the blobs that were missing. */
  readonly fetchedBytes: number;
}

export interface UpstreamOptions extends CallOptions {
  /** Called if the upstream is requested for the result. Not called if another caller's request gives it. */
  readonly onMiss?: (() => void) | undefined;
}

export interface UpstreamRange extends UpstreamOptions {
  /** The first byte to read. Default 0. */
  readonly start?: number | undefined;
  /** The byte after the last one to read. Default: the size of the blob. */
  readonly end?: number | undefined;
  /** Whether a chunk's memory may be reused when the next chunk is read. Default false: the caller may keep the chunks. */
  readonly reuse?: boolean | undefined;
}

/** A blob of an upstream repository. */
export interface UpstreamBlob {
  readonly info: MoteInfo;
  /**
   * Reads the blob while it is fetched into the cache. A complete read ends cleanly only if the bytes match the digest. A range of a blob
   * that is not stored yet is not verified.
   */
  read(range?: UpstreamRange): Promise<MoteReader>;
}

/** One page of an upstream's tags. */
export interface TagPage {
  readonly tags: readonly string[];
  /** Whether there are more. */
  readonly hasMore: boolean;
}

/** One page of an upstream's repositories. */
export interface RepositoryPage {
  readonly repositories: readonly string[];
  /** Whether there are more. */
  readonly hasMore: boolean;
}

/** The entries of a list that are requested. */
export interface ListOptions extends Cancellable {
  /** List entries after this one. */
  readonly after?: string | undefined;
  /** The number of entries at most. Default: the upstream's. */
  readonly limit?: number | undefined;
}

/** The requests that a registry accepts in a time window, as its last response said. */
export interface RateLimit {
  readonly limit: number;
  readonly remaining: number;
  readonly windowSeconds?: number | undefined;
}

/** The traffic to an upstream since the start. */
export interface UpstreamTraffic {
  /** Responses by status. `error` stands for requests without a response. */
  readonly requests: Readonly<Record<string, number>>;
  /** Bytes of manifests and blobs. */
  readonly receivedBytes: number;
  readonly rateLimit?: RateLimit | undefined;
}

export interface UpstreamStatus {
  readonly name: string;
  /** Of its circuit breaker: an `open` upstream is not requested, a `half-open` one is tried. */
  readonly state: "closed" | "open" | "half-open";
  /** When it last answered, in Unix milliseconds. */
  readonly lastSuccessMs?: number | undefined;
  readonly lastError?: { readonly atMs: number; readonly message: string } | undefined;
  readonly traffic?: UpstreamTraffic | undefined;
}

/** A blob on its way into the cache. */
export interface FillStatus {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
  /** The full name of the repository that it is fetched for. */
  readonly repository: string;
  /** Bytes that are stored so far. */
  readonly bytes: number;
}

/** Another member of a fleet of mirrors. */
export interface FleetMemberStatus {
  readonly url: string;
  /** Bytes of manifests and blobs that it has sent to this one. */
  readonly receivedBytes: number;
  /** How often it could not send all of a blob, or sent wrong bytes. */
  readonly failures: number;
}

/** How several mirrors fetch each blob once together. */
export interface FleetStatus {
  /** The URL at which the other members reach this one. */
  readonly url: string;
  /** The members from which this one has read. */
  readonly members: readonly FleetMemberStatus[];
}

/**
 * Fetches content of upstream registries into a cache on request.
 *
 * Every method with requests to an upstream: @throws MOTE_NOT_FOUND · MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_RATE_LIMITED ·
 * MOTE_UNREACHABLE · MOTE_TIMEOUT · MOTE_REGISTRY
 */
export interface PullThrough {
  readonly upstreams: readonly UpstreamStatus[];
  /** The fetches that are running. */
  readonly fills: readonly FillStatus[];
  /** Absent if it is not one of a fleet. */
  readonly fleet?: FleetStatus | undefined;
  /**
   * Returns the requested upstream repository: of the registry `namespace` if that is an upstream, of the upstream in the first component of
   * `name`, or of the default upstream. Returns undefined if the request is for local content.
   */
  repository(name: string, namespace?: string): UpstreamRepository | undefined;
  /** Returns whether content of the upstream that is missing in the cache can be fetched now, as far as is known. */
  isAvailable(repository: UpstreamRepository): boolean;
  /** Returns a manifest that is stored, and known to be one of the repository. */
  storedManifest(
    repository: UpstreamRepository,
    digest: Digest,
    options?: Cancellable,
  ): Promise<Uint8Array | undefined>;
  /** Resolves a tag or digest and stores the manifest in the cache. */
  manifest(repository: UpstreamRepository, reference: string, options?: CallOptions): Promise<UpstreamManifest>;
  /** Asks the upstream what a tag refers to, however fresh the stored answer is, and stores the manifest. */
  refresh(repository: UpstreamRepository, tag: string, options?: Cancellable): Promise<UpstreamManifest>;
  /**
   * Asks the upstream for an image, and fetches everything that is missing of it: of an index, the images that best match `platforms`
   * (`OS/ARCH[/VARIANT]`), by default all.
   * @throws MOTE_NO_PLATFORM · MOTE_UNWRITABLE or MOTE_NO_SPACE if the cache cannot store it
   */
  warm(
    repository: UpstreamRepository,
    reference: string,
    options?: Cancellable & { readonly platforms?: readonly string[] | undefined },
  ): Promise<WarmReport>;
  /** Returns the size of a blob without fetching it. */
  findBlob(repository: UpstreamRepository, digest: Digest, options?: CallOptions): Promise<MoteInfo>;
  blob(repository: UpstreamRepository, digest: Digest, options?: UpstreamOptions): Promise<UpstreamBlob>;
  /** Lists tags in the order of the upstream, at most `limit` after `after`. */
  tags(repository: UpstreamRepository, options?: ListOptions): Promise<TagPage>;
  /** Lists the repositories of an upstream by their paths. @throws MOTE_NOT_FOUND if it has no catalog */
  repositories(upstream: string, options?: ListOptions): Promise<RepositoryPage>;
  /** Lists the referrers of a manifest as the upstream describes them. */
  referrers(repository: UpstreamRepository, digest: Digest, options?: CallOptions): Promise<readonly Descriptor[]>;
}
