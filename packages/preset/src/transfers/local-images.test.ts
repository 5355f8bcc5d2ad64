import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, mediaTypes, writeMote } from "@mote/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { OpenMote } from "../mote.js";
import { openMote } from "../open-mote.js";
import { localImages } from "./local-images.js";
import { SizeBound } from "./size-bound.js";

let dir: string;
let mote: OpenMote;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-local-"));
  mote = await openMote({ dir });
});

afterEach(async () => {
  await mote.close();
  await rm(dir, { recursive: true, force: true });
});

async function store(content: object, mediaType: string): Promise<Descriptor> {
  const bytes = new TextEncoder().encode(JSON.stringify(content));
  const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
  await writeMote(mote.cache, descriptor, bytes);
  return descriptor;
}

/** Stores an image of one layer. */
async function makeImage(name: string, subject?: Descriptor): Promise<{ manifest: Descriptor; layer: Descriptor }> {
  const config = await store({}, mediaTypes.ociEmpty);
  const layer = await store({ name, text: "x".repeat(1000) }, mediaTypes.octetStream);
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer], subject };
  return { manifest: await store(manifest, mediaTypes.ociManifest), layer };
}

it("a prune for the size keeps pushed images and their signatures, and removes what is another registry's or has no tag", async () => {
  const pushed = await makeImage("pushed");
  const signature = await makeImage("signature", pushed.manifest);
  const attestation = await makeImage("attestation of the signature", signature.manifest);
  const untagged = await makeImage("untagged");
  const pulled = await makeImage("pulled");
  for (const { manifest } of [attestation, signature, untagged]) {
    await mote.cache.membership?.record("team/app", manifest.digest);
  }
  await mote.tags.tag("team/app:1", pushed.manifest);
  await mote.tags.tag("docker.io/library/app:1", pulled.manifest);

  const kept = [pushed, signature, attestation].map(({ manifest }) => manifest.digest);
  expect(await localImages(mote.cache)).toEqual(new Set(kept));

  const warnings: unknown[] = [];
  const logger = { debug() {}, info() {}, error() {}, warn: (...args: unknown[]) => void warnings.push(args) };
  const bound = new SizeBound(mote.cache, { maxSize: 0, logger });
  bound.enforce(1);
  await bound.settled();
  const isStored = async (...images: { layer: Descriptor }[]) =>
    Promise.all(images.map(({ layer }) => mote.cache.moteExists(layer.digest)));
  expect(await isStored(pushed, signature, attestation)).toEqual([true, true, true]);
  expect(await isStored(untagged, pulled)).toEqual([false, false]);
  expect(warnings).toEqual([]);
});
