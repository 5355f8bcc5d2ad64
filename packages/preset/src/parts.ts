import type { BlobInfoCache, Logger, MoteCache, TagStore } from "@mote/core";
import type { Endpoints } from "./endpoints/endpoints.js";
import type { References } from "./references/references.js";

/** The dependencies of all operations. */
export interface Parts {
  readonly cache: MoteCache;
  readonly tags: TagStore;
  readonly bic: BlobInfoCache;
  readonly endpoints: Endpoints;
  readonly references: References;
  readonly logger: Logger;
}
