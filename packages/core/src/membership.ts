import type { Cancellable } from "./cancellable.js";
import type { Digest } from "./digest.js";
import type { TagStore } from "./tag-store.js";

export interface RecordOptions extends Cancellable {
  /** Whether the record is made because a tag of the repository was set. Default false. */
  readonly named?: boolean | undefined;
  /**
   * Whether the digest is that of a blob that was pushed alone. What its bytes refer to does not belong to the repository, even if they look like
   * a manifest. Default false.
   */
  readonly blob?: boolean | undefined;
}

export interface RepositoriesOptions extends Cancellable {
  /** Only repositories with this path, on any registry or none. */
  readonly path?: string | undefined;
  /** Only repositories with a record made with `named`. Default false. */
  readonly named?: boolean | undefined;
}

/**
 * Records which manifests were stored or tagged under which repository, and which blobs were pushed to it. Content that a manifest refers to
 * belongs to the same repository and is not recorded. A server serves from a repository only what belongs to it.
 *
 * Repository names are full names, `REGISTRY/PATH`; a name without a registry is local to the cache. A record does not imply that the
 * content is stored. Records of content that is neither stored nor leased may be removed at any time.
 *
 * Every method: @throws MOTE_INVALID_NAME for an invalid repository name (`parseRepositoryName`) · MOTE_INVALID_DIGEST
 */
export interface Membership {
  /** Adds a record if it does not exist. @throws MOTE_UNWRITABLE · MOTE_NO_SPACE */
  record(repository: string, digest: Digest, options?: RecordOptions): Promise<void>;
  has(repository: string, digest: Digest, options?: Cancellable): Promise<boolean>;
  /** Yields the recorded manifests, and no blobs, in no particular order. Those added or removed meanwhile may be missed. */
  list(repository: string, options?: Cancellable): AsyncIterable<Digest>;
  /** Yields the full names of all repositories with a record, in no particular order. */
  repositories(options?: RepositoriesOptions): AsyncIterable<string>;
  /**
   * Records what the tags of the store stand for, such as tags of an earlier release, if they are the tags of the same cache. Reads only
   * tags that are not known to be recorded. Returns whether every tag of the store is recorded now; false if they are not the cache's
   * tags, or the cache cannot be written.
   */
  recordTags?(tags: TagStore, options?: Cancellable): Promise<boolean>;
  /** Removes one record, or without a digest all records of the repository. Does nothing if there are none. */
  remove(repository: string, digest?: Digest, options?: Cancellable): Promise<void>;
}
