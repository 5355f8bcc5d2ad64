import { blobInfoCacheSuite } from "@mote/conformance";
import { describe, expect, it } from "vitest";
import { MemoryStorage, StoredBlobInfoCache } from "../src/index.js";
import { FactServer, ServerStorage } from "./server-storage.js";

describe("StoredBlobInfoCache over a storage in this process", () => {
  blobInfoCacheSuite(
    { describe, it, expect },
    (setup) => new StoredBlobInfoCache(async () => new MemoryStorage(), setup),
    { acceptsSetup: true },
  );
});

describe("StoredBlobInfoCache over a storage on a server", () => {
  blobInfoCacheSuite(
    { describe, it, expect },
    (setup) => {
      const server = new FactServer();
      return new StoredBlobInfoCache(async () => new ServerStorage(server), setup);
    },
    { acceptsSetup: true },
  );
});
