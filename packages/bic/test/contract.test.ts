import { blobInfoCacheSuite } from "@mote/conformance";
import { describe, expect, it } from "vitest";
import { MemoryStorage, StoredBlobInfoCache } from "../src/index.js";

blobInfoCacheSuite(
  { describe, it, expect },
  (setup) => new StoredBlobInfoCache(async () => new MemoryStorage(), setup),
  { takesSetup: true },
);
