import { type Descriptor, digestBytes, mediaTypes } from "@mote/core";

/** A layer of an artifact: a file, or the tar of a directory. */
export interface LayerBytes {
  readonly title: string;
  readonly bytes: Uint8Array;
  readonly isFolder: boolean;
}

/** Returns the manifest of an artifact in the format of oras, and the descriptors of its layers. */
export function artifactOf(layers: readonly LayerBytes[]) {
  const descriptors = layers.map(({ title, bytes, isFolder }): Descriptor => {
    const annotations = {
      "org.opencontainers.image.title": title,
      ...(isFolder ? { "io.deis.oras.content.unpack": "true" } : {}),
    };
    return { mediaType: mediaTypes.octetStream, digest: digestBytes(bytes), size: bytes.byteLength, annotations };
  });
  const empty = new TextEncoder().encode("{}");
  const config = { mediaType: mediaTypes.ociEmpty, digest: digestBytes(empty), size: empty.byteLength };
  const manifest = new TextEncoder().encode(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: descriptors }),
  );
  const root = { mediaType: mediaTypes.ociManifest, digest: digestBytes(manifest), size: manifest.byteLength };
  return { root, manifest, layers: descriptors };
}
