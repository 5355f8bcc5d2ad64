import { type Descriptor, digestBytes, type MoteCache, mediaTypes, writeMote } from "@mote/core";

export interface Image {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export async function put(cache: MoteCache, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const digest = digestBytes(bytes);
  await writeMote(cache, { digest, mediaType, size: bytes.byteLength }, bytes);
  return { mediaType, digest, size: bytes.byteLength };
}

const json = (body: unknown) => new TextEncoder().encode(JSON.stringify(body));

/** Puts an image with layers of these sizes in bytes, each of one letter. */
export async function putImage(
  cache: MoteCache,
  names: readonly string[],
  layers: Readonly<Record<string, number>>,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<Image> {
  const config = await put(cache, mediaTypes.ociConfig, json({ os: "linux", architecture: "amd64", layers }));
  const kept: Descriptor[] = [];
  for (const [letter, size] of Object.entries(layers)) {
    kept.push(await put(cache, mediaTypes.ociLayer, new Uint8Array(size).fill(letter.charCodeAt(0))));
  }
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: kept, ...fields };
  const manifest = await put(cache, mediaTypes.ociManifest, json(body));
  for (const name of names) await cache.tags?.tag(name, manifest);
  return { manifest, config, layers: kept };
}

export async function putIndex(
  cache: MoteCache,
  names: readonly string[],
  manifests: readonly Descriptor[],
): Promise<Descriptor> {
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  const index = await put(cache, mediaTypes.ociIndex, json(body));
  for (const name of names) await cache.tags?.tag(name, index);
  return index;
}
