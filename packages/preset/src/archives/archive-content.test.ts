import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes } from "@mote/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { verifyArchive } from "./archive-content.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-archive-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

it("an image whose content is not known is not complete", async () => {
  const bytes = Buffer.from('{"schemaVersion":1,"fsLayers":[{"blobSum":"sha256:0"}]}');
  const digest = digestBytes(bytes);
  const mediaType = "application/vnd.docker.distribution.manifest.v1+prettyjws";
  mkdirSync(join(dir, "blobs", "sha256"), { recursive: true });
  writeFileSync(join(dir, "blobs", digest.replace(":", "/")), bytes);
  writeFileSync(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const manifests = [{ mediaType, digest, size: bytes.byteLength }];
  writeFileSync(join(dir, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  expect(await verifyArchive(`oci:${dir}`)).toMatchObject({
    images: 1,
    incomplete: [digest],
    damaged: [{ digest, reason: expect.stringContaining(mediaType) }],
  });
});
