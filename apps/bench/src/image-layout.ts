import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestBytes, mediaTypes } from "@mote/core";

export interface Image {
  readonly title: string;
  readonly name: string;
  readonly layers: number;
  readonly layerBytes: number;
}

/** Writes layers of random bytes, which do not compress. */
export async function writeLayout(dir: string, { layers, layerBytes }: Image): Promise<void> {
  await mkdir(join(dir, "blobs", "sha256"), { recursive: true });
  const put = async (mediaType: string, bytes: Uint8Array) => {
    const digest = digestBytes(bytes);
    await writeFile(join(dir, "blobs", ...digest.split(":")), bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const json = (document: object) => new TextEncoder().encode(JSON.stringify(document));
  const config = await put(
    mediaTypes.ociConfig,
    json({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } }),
  );
  const descriptors = [];
  for (let layer = 0; layer < layers; layer++)
    descriptors.push(await put(mediaTypes.ociLayer, randomBytes(layerBytes)));
  const manifest = await put(
    mediaTypes.ociManifest,
    json({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: descriptors }),
  );
  const annotations = { "org.opencontainers.image.ref.name": "1" };
  await writeFile(join(dir, "index.json"), json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));
  await writeFile(join(dir, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
}
