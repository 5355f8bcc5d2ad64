import type { Cancellable } from "./cancellable.js";
import type { Digest } from "./digest.js";

export interface RecordOptions extends Cancellable {
  /** Whether it is recorded because a name of the repository was set, as a tag store does. Default false. */
  readonly named?: boolean | undefined;
}

export interface RepositoriesOptions extends Cancellable {
  /** Only repositories with this path, on any registry or on none. */
  readonly path?: string | undefined;
  /** Only those that something was recorded of with `named`. Default false. */
  readonly named?: boolean | undefined;
}

/**
 * Which manifests belong to which repository: those that were stored or tagged under its name. What a manifest refers to belongs
 * where the manifest does, and is not recorded. A server answers for a repository only with what belongs to it.
 *
 * A repository is named in full, `REGISTRY/PATH`; without a registry it is the cache's own. A record does not tell that the content is
 * there. The record of a manifest that the cache does not have, and that nobody leases, may be removed at any time.
 *
 * Every method: @throws MOTE_INVALID_NAME where the text is not a repository's name (`parseRepositoryName`) · MOTE_INVALID_DIGEST
 */
export interface Membership {
  /** Does nothing where the record is there already. @throws MOTE_UNWRITABLE · MOTE_NO_SPACE */
  record(repository: string, digest: Digest, options?: RecordOptions): Promise<void>;
  has(repository: string, digest: Digest, options?: Cancellable): Promise<boolean>;
  /** The recorded manifests, in no particular order; what comes or goes meanwhile may be missed. */
  list(repository: string, options?: Cancellable): AsyncIterable<Digest>;
  /** Every repository with a record, in full, in no particular order. */
  repositories(options?: RepositoriesOptions): AsyncIterable<string>;
  /** Removes one record, or without a digest all records of the repository. Absent is fine. */
  remove(repository: string, digest?: Digest, options?: Cancellable): Promise<void>;
}
