import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { blobInfoCacheSuite } from "@mote/conformance";
import { digestBytes, LAYER_SCOPE, MemoryCache } from "@mote/core";
import { openMote } from "@mote/preset";
import { afterAll, describe, expect, it } from "vitest";
import { FileBlobInfoCache } from "../own-blob-info-cache.js";

const folder = mkdtempSync(join(tmpdir(), "mote-own-bic-"));
let files = 0;
afterAll(() => rmSync(folder, { recursive: true }));

blobInfoCacheSuite(
  { describe, it, expect },
  (setup) => new FileBlobInfoCache(join(folder, `${files++}.jsonl`), setup),
  { acceptsSetup: true },
);

it("finds records of an earlier process", async () => {
  const path = join(folder, "kept.jsonl");
  const digest = digestBytes(new Uint8Array([1]));
  await using first = new FileBlobInfoCache(path);
  await first.recordKnownLocation("oci", LAYER_SCOPE, digest, "registry.example/app:1");
  await using mote = await openMote({ cache: new MemoryCache(), bic: new FileBlobInfoCache(path) });
  expect((await mote.knownLocations(digest)).locations).toMatchObject([{ ref: { registry: "registry.example" } }]);
});
