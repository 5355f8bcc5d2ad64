import type { Digest, MoteCache } from "@mote/core";

export interface MoteCacheCapabilities {
  /** Changes a byte of a stored mote without the cache's knowledge. Without it, damage is not tested. */
  readonly corrupt?: ((cache: MoteCache, digest: Digest) => Promise<void>) | undefined;
  /** Creates another cache over the same store, not initialised. Without it, reopening is not tested. */
  readonly reopen?: ((cache: MoteCache) => Promise<MoteCache> | MoteCache) | undefined;
  /** False for a cache that stores nothing, such as `NilCache`. Default true. */
  readonly stores?: boolean | undefined;
}

/** Creates and initialises an empty cache. */
export type OpenCache = () => Promise<MoteCache>;
