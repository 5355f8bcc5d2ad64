import { type Descriptor, type Digest, digestBytes, MemoryTagStore, mediaTypes } from "@mote/core";
import { beforeEach, expect } from "vitest";
import { createHandler, type Handler } from "../src/index.js";
import { MemorySource } from "./memory-source.js";

// Importing this registers the hooks for the tests of the importing file.
export const encoder = new TextEncoder();
export const absent = digestBytes(encoder.encode("not stored"));

export let source: MemorySource;
export let tags: MemoryTagStore;
let handler: Handler;
export let layer: Digest;
export let layerBytes: Uint8Array;
let config: Descriptor;
export let manifest: Descriptor;

beforeEach(async () => {
  source = new MemorySource();
  tags = new MemoryTagStore();
  handler = createHandler({ source, tags });
  layerBytes = encoder.encode("0123456789".repeat(2000));
  layer = source.put(layerBytes);
  config = { mediaType: mediaTypes.ociConfig, digest: source.put(encoder.encode("{}")), size: 2 };
  manifest = source.putManifest(imageManifest());
  await tags.tag("docker.io/library/app:1", manifest);
});

export function imageManifest(more: object = {}) {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers: [{ mediaType: mediaTypes.ociLayer, digest: layer, size: layerBytes.byteLength }],
    ...more,
  };
}

export function request(path: string, init?: RequestInit): Promise<Response> {
  return handler(new Request(`http://registry.test${path}`, init));
}

export async function errorOf(path: string, init?: RequestInit): Promise<[status: number, code: string]> {
  const response = await request(path, init);
  const { errors } = (await response.json()) as { errors: { code: string; message: string; detail: unknown }[] };
  expect(errors).toEqual([{ code: expect.any(String), message: expect.any(String), detail: expect.anything() }]);
  return [response.status, errors[0]?.code ?? ""];
}
