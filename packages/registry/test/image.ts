import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Descriptor, digestBytes, digestEncoded, mediaTypes } from "@mote/core";

export interface TestImage {
  readonly manifest: Descriptor;
  readonly manifestBytes: Uint8Array;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

/** Creates an image with layers of random bytes of about these sizes, in gzip, because skopeo would compress others. */
export function makeImage(...layerSizes: number[]): TestImage {
  const blobs = new Map<string, Uint8Array>();
  const add = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const digest = digestBytes(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const layers = layerSizes.map((size) => add(mediaTypes.ociLayerGzip, new Uint8Array(gzipSync(randomBytes(size)))));
  const rootfs = { type: "layers", diff_ids: layers.map(({ digest }) => digest) };
  const config = add(mediaTypes.ociConfig, json({ architecture: "amd64", os: "linux", rootfs, config: {} }));
  const manifestBytes = json({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers });
  const manifest = add(mediaTypes.ociManifest, manifestBytes);
  return { manifest, manifestBytes, config, layers, blobs };
}

/** Writes the image as an OCI layout, and has skopeo push it to `docker://IMAGE`. */
export async function pushWithSkopeo(image: TestImage, reference: string, folder: string, credentials?: string) {
  await mkdir(join(folder, "layout/blobs/sha256"), { recursive: true });
  await writeFile(join(folder, "layout/oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const annotations = { "org.opencontainers.image.ref.name": "image" };
  const index = { schemaVersion: 2, manifests: [{ ...image.manifest, annotations }] };
  await writeFile(join(folder, "layout/index.json"), JSON.stringify(index));
  for (const [digest, bytes] of image.blobs) {
    const name = digestEncoded(digest as Descriptor["digest"]);
    await writeFile(join(folder, "layout/blobs/sha256", name), bytes);
  }
  const login = credentials === undefined ? [] : ["--dest-creds", credentials];
  execFileSync(
    "skopeo",
    [
      "--insecure-policy",
      "copy",
      "-q",
      "--dest-tls-verify=false",
      ...login,
      `oci:${folder}/layout:image`,
      `docker://${reference}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
