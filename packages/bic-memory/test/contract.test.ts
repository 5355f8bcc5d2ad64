import { blobInfoCacheSuite } from "@mote/conformance";
import { describe, expect, it } from "vitest";
import { MemoryBlobInfoCache } from "../src/index.js";

describe("MemoryBlobInfoCache keeps the contract", () => {
  blobInfoCacheSuite({ describe, it, expect }, (setup) => new MemoryBlobInfoCache(setup), { acceptsSetup: true });
});

describe("MemoryBlobInfoCache made without options keeps the contract", () => {
  blobInfoCacheSuite({ describe, it, expect }, () => new MemoryBlobInfoCache());
});
