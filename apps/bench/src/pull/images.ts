import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { type Descriptor, type Digest, digestBytes, mediaTypes, parseDigest } from "@mote/core";
import { realLayer } from "./real-layer.js";

/** An image of the suite, and how its layers are made, one after another. */
export interface PullImage {
  readonly title: string;
  readonly name: string;
  /** The bytes of all layers, roughly. */
  readonly megabytes: number;
  /** The digests of the layers' contents. Default: those of the layers. */
  readonly diffIds?: readonly Digest[];
  layers(): AsyncIterable<AsyncIterable<Uint8Array>>;
}

const blockBytes = 1024 * 1024;

/** 82 MB in 5 gzip layers of files of this machine. */
export const realImage: PullImage = {
  title: "5 gzip layers, 82 MB",
  name: "real",
  megabytes: 82,
  async *layers() {
    const count = 5;
    for (let number = 0; number < count; number++) yield realLayer(number, count, 16_400_000);
  },
};

export const smallImage: PullImage = {
  title: "200 layers of 10 kB",
  name: "small",
  megabytes: 2,
  async *layers() {
    for (let number = 0; number < 200; number++) yield incompressible(10_000);
  },
};

export const largeImage: PullImage = {
  title: "one layer of 2 GB",
  name: "large",
  megabytes: 2000,
  async *layers() {
    yield incompressible(2_000_000_000);
  },
};

/** Writes an image as an OCI layout, under the tag `1`. */
export async function writeImage(dir: string, image: PullImage): Promise<void> {
  const blobs = join(dir, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (mediaType: string, document: object): Promise<Descriptor> => {
    const bytes = new TextEncoder().encode(JSON.stringify(document));
    const digest = digestBytes(bytes);
    await writeFile(join(dir, "blobs", ...digest.split(":")), bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const layers: Descriptor[] = [];
  for await (const layer of image.layers()) layers.push(await putLayer(blobs, layer));
  const config = await put(mediaTypes.ociConfig, {
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: image.diffIds ?? layers.map(({ digest }) => digest) },
  });
  const mediaType = mediaTypes.ociManifest;
  const manifest = await put(mediaType, { schemaVersion: 2, mediaType, config, layers });
  const annotations = { "org.opencontainers.image.ref.name": "1" };
  await writeFile(
    join(dir, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  await writeFile(join(dir, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

async function putLayer(blobs: string, chunks: AsyncIterable<Uint8Array>): Promise<Descriptor> {
  const written = join(blobs, "layer");
  const hash = createHash("sha256");
  let size = 0;
  const file = await open(written, "w");
  try {
    for await (const chunk of chunks) {
      hash.update(chunk);
      await file.write(chunk);
      size += chunk.byteLength;
    }
  } finally {
    await file.close();
  }
  const encoded = hash.digest("hex");
  await rename(written, join(blobs, encoded));
  return { mediaType: mediaTypes.ociLayerGzip, digest: parseDigest(`sha256:${encoded}`), size };
}

/** Returns random bytes as gzip's stored blocks: some tools would compress a layer that is not compressed. */
function incompressible(bytes: number): AsyncIterable<Uint8Array> {
  const stored = createGzip({ level: 0, chunkSize: blockBytes });
  pipeline(Readable.from(randomBlocks(bytes), { objectMode: false }), stored, () => {});
  return stored;
}

async function* randomBlocks(bytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  const blocks = Array.from({ length: 16 }, () => randomBytes(blockBytes));
  for (let left = bytes, at = 0; left > 0; left -= blockBytes, at++) {
    const block = blocks[at % blocks.length];
    if (block !== undefined) yield block.subarray(0, Math.min(left, blockBytes));
  }
}
