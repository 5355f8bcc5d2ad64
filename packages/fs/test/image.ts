import { type Descriptor, type Digest, digestBytes, type MoteCache, mediaTypes, writeMote } from "@mote/core";

export async function put(cache: MoteCache, bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
  const digest = digestBytes(bytes);
  await writeMote(cache, { digest, mediaType, size: bytes.byteLength }, bytes);
  return { mediaType, digest, size: bytes.byteLength };
}

/** Puts an image with these layers, and tags it if a name is given. */
export async function putImage(cache: MoteCache, name: string | undefined, layers: readonly string[]): Promise<Image> {
  const text = new TextEncoder();
  const config = await put(cache, text.encode(JSON.stringify({ layers })), mediaTypes.ociConfig);
  const stored = [];
  for (const layer of layers) stored.push(await put(cache, text.encode(layer.repeat(1000)), mediaTypes.ociLayer));
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: stored };
  const manifest = await put(cache, text.encode(JSON.stringify(body)), mediaTypes.ociManifest);
  if (name !== undefined) await cache.tags?.tag(name, manifest);
  return { manifest, config, layers: stored, digests: [manifest, config, ...stored].map(({ digest }) => digest) };
}

export interface Image {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly digests: readonly Digest[];
}
