import type { BlobInfoCache, Logger } from "@mote/core";

/** What a cache may be made with, so that its warnings can be heard and its clock set. */
export interface BlobInfoCacheSetup {
  readonly logger: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Makes an empty cache. The suite closes it; what it leaves on disk is the factory's to remove. */
export type BlobInfoCacheFactory = (setup: BlobInfoCacheSetup) => BlobInfoCache | Promise<BlobInfoCache>;

export interface BlobInfoCacheSuiteOptions {
  /** Whether the factory's caches take logger and clock of its setup. Default false: warnings and clocks are not tried. */
  readonly acceptsSetup?: boolean | undefined;
}
