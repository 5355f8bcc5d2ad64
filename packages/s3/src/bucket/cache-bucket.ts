import type { Cancellable, Logger } from "@mote/core";
import type { Bucket } from "./bucket.js";
import type { BucketFormat } from "./bucket-format.js";
import type { BucketKeys } from "./keys.js";

/** The bucket of a cache. */
export interface CacheBucket {
  readonly bucket: Bucket;
  readonly keys: BucketKeys;
  readonly format: BucketFormat;
  readonly logger: Logger;
  /** Checks that the bucket can be used, and prepares it for the first write. */
  ready(options: Cancellable & { readonly toWrite: boolean }): Promise<void>;
}
