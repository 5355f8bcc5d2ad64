import { MemoryStorage, StoredBlobInfoCache } from "@mote/bic";
import { digestBytes, LayerBlobInfo, LayerLocator, type Ref } from "@mote/core";
import fc from "fast-check";
import { expect, it } from "vitest";
import { parseRef, refCodec, transportFromImageName } from "../src/index.js";
import { pathRef, registryRef } from "./ref-arbitraries.js";

const layer = digestBytes(new Uint8Array());
const setUp = () => new LayerLocator(new StoredBlobInfoCache(async () => new MemoryStorage()), refCodec);

it("a formatted location is parsed as the same reference", async () => {
  const locator = setUp();
  fc.assert(
    fc.property(fc.oneof(registryRef, pathRef), (ref) => {
      expect(parseRef(locator.format(ref))).toEqual(ref);
    }),
    { numRuns: 3000 },
  );
});

it("sources include their transport, except docker://", async () => {
  const isInGroup = (ref: Ref) => transportFromImageName(refCodec.format(ref, { scheme: true })) === "oci";
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(registryRef, pathRef).filter(isInGroup), { maxLength: 5 }), async (refs) => {
      const locator = setUp();
      for (const ref of refs) await locator.recordLayerSource({ digest: layer }, ref);
      const sources = (await new LayerBlobInfo([layer], locator).getSources()).get(layer) ?? [];
      const wanted = new Set(refs.map((ref) => refCodec.format(ref, { scheme: true })));
      expect(new Set(sources.map((text) => refCodec.format(parseRef(text), { scheme: true })))).toEqual(wanted);
    }),
    { numRuns: 200 },
  );
  const locator = setUp();
  for (const text of ["docker://build/app:1.0", "oci:build/app:1.0", "http://build.example/app:1.0"]) {
    await locator.recordLayerSource({ digest: layer }, text);
  }
  expect((await new LayerBlobInfo([layer], locator).getSources()).get(layer)).toEqual([
    "http://build.example/app:1.0",
    "oci:build/app:1.0",
    "docker.io/build/app:1.0",
  ]);
});
