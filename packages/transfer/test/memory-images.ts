import { type Descriptor, mediaTypes } from "@mote/core";
import type { MemorySource } from "./memory-endpoints.js";

/** Returns unique bytes. */
export function someBytes(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed * 2654435761 + 12345;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

export interface AddedImage {
  readonly root: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** Adds a tagged image with layers of these sizes. */
export function addImage(source: MemorySource, tag: string, sizes: readonly number[], seed = 1): AddedImage {
  const config = source.addJson({ architecture: "amd64", os: "linux", seed }, mediaTypes.ociConfig);
  const layers = sizes.map((size, at) => source.add(someBytes(size, seed * 100 + at), mediaTypes.ociLayer));
  const root = addManifest(source, config, layers);
  source.tags.set(tag, root);
  return { root, config, layers };
}

export function addManifest(
  source: MemorySource,
  config: Descriptor,
  layers: readonly Descriptor[],
  more: Partial<Descriptor> = {},
): Descriptor {
  const mediaType = mediaTypes.ociManifest;
  return source.addJson({ schemaVersion: 2, mediaType, config, layers }, mediaType, more);
}

export function addIndex(source: MemorySource, manifests: readonly Descriptor[]): Descriptor {
  const mediaType = mediaTypes.ociIndex;
  return source.addJson({ schemaVersion: 2, mediaType, manifests }, mediaType);
}
