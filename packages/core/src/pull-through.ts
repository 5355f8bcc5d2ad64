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

/** A manifest of an upstream repository that is stored in the cache. */
export interface UpstreamManifest {
  readonly descriptor: Descriptor;
  /** Whether it was found without a request to the upstream. */
  readonly isHit: boolean;
  /** Why the tag could not be checked at the upstream. Undefined if the result is fresh. */
  readonly staleReason?: string | undefined;
}

export interface UpstreamRange extends CallOptions {
  /** The first byte to read. Default 0. */
  readonly start?: number | undefined;
  /** The byte after the last one to read. Default: the size of the blob. */
  readonly end?: number | undefined;
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

/**
 * Fetches content of upstream registries into a cache on request.
 *
 * Every method with requests to an upstream: @throws MOTE_NOT_FOUND · MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_RATE_LIMITED ·
 * MOTE_UNREACHABLE · MOTE_TIMEOUT · MOTE_REGISTRY
 */
export interface PullThrough {
  /**
   * Returns the requested upstream repository: of the registry `namespace` if that is an upstream, of the upstream in the first component of
   * `name`, or of the default upstream. Returns undefined if the request is for local content.
   */
  repository(name: string, namespace?: string): UpstreamRepository | undefined;
  /** Resolves a tag or digest and stores the manifest in the cache. */
  manifest(repository: UpstreamRepository, reference: string, options?: CallOptions): Promise<UpstreamManifest>;
  /** Returns the size of a blob without fetching it. */
  findBlob(repository: UpstreamRepository, digest: Digest, options?: CallOptions): Promise<MoteInfo>;
  blob(repository: UpstreamRepository, digest: Digest, options?: CallOptions): Promise<UpstreamBlob>;
  /** Lists tags in the order of the upstream, at most `limit` after `after`. */
  tags(
    repository: UpstreamRepository,
    options?: Cancellable & { readonly after?: string | undefined; readonly limit?: number | undefined },
  ): Promise<TagPage>;
  referrers(repository: UpstreamRepository, digest: Digest, options?: CallOptions): AsyncIterable<Descriptor>;
}
