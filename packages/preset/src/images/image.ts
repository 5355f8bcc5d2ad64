import {
  type Cancellable,
  type Descriptor,
  type Digest,
  type ImageManifest,
  type Manifest,
  type MoteCache,
  MoteError,
  maxManifestBytes,
  readManifest,
  readMote,
} from "@mote/core";
import type { LayerEntry, UnpackOptions } from "@mote/layout";
import { pickStored } from "./pick-stored.js";

export type { LayerEntry } from "@mote/layout";

/** A layer of an image, or a blob of an artifact. */
export interface ImageLayer {
  readonly descriptor: Descriptor;
  /** Yields the stored bytes, verified. @throws MOTE_NOT_FOUND · MOTE_CORRUPT */
  bytes(options?: Cancellable): AsyncIterable<Uint8Array>;
  /**
   * Yields the files, folders and links of a tar layer, compressed or not. Read the content of an entry before the next entry, or not at
   * all. Names are not safe to use as local paths. @throws MOTE_NOT_FOUND · MOTE_CORRUPT · MOTE_INVALID_ARCHIVE · MOTE_TOO_LARGE
   */
  entries(options?: Cancellable): AsyncIterable<LayerEntry>;
}

export interface Image {
  readonly digest: Digest;
  readonly manifest: ImageManifest;
  /** From the base layer up. */
  readonly layers: readonly ImageLayer[];
  /** Returns the parsed configuration, if there is one. @throws MOTE_NOT_FOUND · MOTE_CORRUPT · MOTE_TOO_LARGE · SyntaxError */
  config(options?: Cancellable): Promise<unknown>;
}

export interface OpenImageOptions extends Cancellable {
  readonly platform?: string | undefined;
  readonly unpack?: UnpackOptions | undefined;
}

/**
 * Opens a cached image, or one image of an index.
 * @throws MOTE_NOT_FOUND · MOTE_NO_PLATFORM · MOTE_INVALID_MANIFEST
 */
export async function openImage(
  cache: MoteCache,
  { digest: root, name }: { readonly digest: Digest; readonly name: string },
  { platform, unpack, signal }: OpenImageOptions = {},
): Promise<Image> {
  const read = (digest: Digest): Promise<Manifest> => readImage(cache, digest, signal);
  const { digest, manifest } = await pickStored(
    root,
    name,
    { read, has: (each) => cache.moteExists(each, { signal }) },
    platform,
  );
  return {
    digest,
    manifest,
    layers: manifest.layers.map((descriptor) => layerOf(cache, descriptor, unpack)),
    async config(options = {}) {
      if (manifest.config === undefined) return undefined;
      const bytes = await readMote(cache, manifest.config.digest, { ...options, maxBytes: maxManifestBytes });
      return JSON.parse(new TextDecoder().decode(bytes));
    },
  };
}

async function readImage(cache: MoteCache, digest: Digest, signal: AbortSignal | undefined): Promise<Manifest> {
  const info = await cache.find(digest, { signal });
  if (info !== undefined && info.size > maxManifestBytes) {
    throw new MoteError("MOTE_INVALID_MANIFEST", `${digest} is a blob, not an image; read it with \`mote cat\``, {
      details: { digest },
    });
  }
  return readManifest(cache, { digest }, { signal });
}

function layerOf(cache: MoteCache, descriptor: Descriptor, unpack: UnpackOptions | undefined): ImageLayer {
  const bytes = async function* ({ signal }: Cancellable = {}) {
    await using reader = await cache.moteReader(descriptor.digest, { signal });
    yield* reader;
  };
  return {
    descriptor,
    bytes,
    async *entries(options = {}) {
      const { readLayer } = await import("@mote/layout");
      yield* readLayer(bytes(options), `the layer ${descriptor.digest}`, { ...unpack, ...options });
    },
  };
}
