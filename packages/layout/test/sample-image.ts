import { type ContentDestination, type Descriptor, digestBytes, mediaTypes } from "@mote/core";

export interface SampleImage {
  readonly manifest: Descriptor;
  /** The mark in its config. */
  readonly mark: string;
  readonly blobs: ReadonlyMap<Descriptor, Uint8Array>;
  readonly bytes: Uint8Array;
}

/** Returns an image whose first layer is shared by all images. */
export function sampleImage(mark: string): SampleImage {
  const blobs = new Map<Descriptor, Uint8Array>();
  const add = (bytes: Uint8Array, mediaType: string): Descriptor => {
    const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
    blobs.set(descriptor, bytes);
    return descriptor;
  };
  const layers = [new Uint8Array(1024), new Uint8Array(10_240 + mark.length * 512)].map((bytes) =>
    add(bytes, mediaTypes.ociLayer),
  );
  const config = add(
    encode({
      architecture: "amd64",
      os: "linux",
      config: { Labels: { mark } },
      rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
    }),
    mediaTypes.ociConfig,
  );
  const bytes = encode({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers });
  const manifest = { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
  return { manifest, mark, blobs, bytes };
}

/** Puts an image as a transfer does: existing content is not sent. */
export async function putImage(
  destination: ContentDestination,
  image: SampleImage,
  name: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  try {
    for (const [descriptor, bytes] of image.blobs) {
      if (await destination.has(descriptor, { signal })) continue;
      await destination.blob(descriptor, once(bytes), { signal });
    }
    await destination.manifest(image.manifest, image.bytes, { signal });
    await destination.tag(name, image.manifest, { signal });
    await destination.commit?.({ signal });
  } finally {
    await destination[Symbol.asyncDispose]?.();
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function encode(body: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(body));
}
