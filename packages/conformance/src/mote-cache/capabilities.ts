import type { Digest, MoteCache } from "@mote/core";

export interface MoteCacheCapabilities {
  /** Changes some byte of a stored mote, behind the cache's back. Without it, damage is not tested. */
  readonly corrupt?: ((cache: MoteCache, digest: Digest) => Promise<void>) | undefined;
  /** Another cache over the same store, not yet initialised. Without it, reopening is not tested. */
  readonly reopen?: ((cache: MoteCache) => Promise<MoteCache> | MoteCache) | undefined;
  /** False for a cache that stores nothing, as `NilCache`. Default true. */
  readonly stores?: boolean | undefined;
}

/** A fresh, empty cache that is initialised. */
export type OpenCache = () => Promise<MoteCache>;
