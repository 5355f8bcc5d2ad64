import type { BlobInfoCache, Logger } from "@mote/core";

/** The logger and clock that a cache is created with, so that tests can see its warnings and set its time. */
export interface BlobInfoCacheSetup {
  readonly logger: Logger;
  /** Returns the time in Unix milliseconds. */
  readonly now: () => number;
}

/** Creates an empty cache. The suite closes it; the caller removes its files. */
export type BlobInfoCacheFactory = (setup: BlobInfoCacheSetup) => BlobInfoCache | Promise<BlobInfoCache>;

export interface BlobInfoCacheSuiteOptions {
  /** Whether the factory's caches use the logger and the clock of the setup. Default false: warnings and times are not tested. */
  readonly acceptsSetup?: boolean | undefined;
}
