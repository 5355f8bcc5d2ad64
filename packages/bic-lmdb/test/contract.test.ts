import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { blobInfoCacheSuite } from "@mote/conformance";
import { afterAll, describe, expect, it } from "vitest";
import { LmdbBlobInfoCache } from "../src/index.js";

const folder = mkdtempSync(join(tmpdir(), "mote-bic-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("LmdbBlobInfoCache", () => {
  let made = 0;
  blobInfoCacheSuite(
    { describe, it, expect },
    (setup) => new LmdbBlobInfoCache(join(folder, `${++made}`, "bic.lmdb"), setup),
    { acceptsSetup: true },
  );
});
