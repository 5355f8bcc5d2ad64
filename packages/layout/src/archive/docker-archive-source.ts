import { resolve as resolvePath } from "node:path";
import {
  type BlobOptions,
  type Cancellable,
  type ContentSource,
  type Descriptor,
  type Digest,
  digestBytes,
  MoteError,
  type MoteReader,
  maxManifestBytes,
  mediaTypes,
  type PathRef,
  type Ref,
} from "@mote/core";
import { compressionOfFile } from "../compression/uncompress.js";
import type { UnpackOptions } from "../compression/unpack-limits.js";
import { openBlob } from "../disk/blob-reader.js";
import { hashFile } from "../disk/chunks.js";
import { readSmallFile } from "../disk/named-files.js";
import { fullName } from "../oci/image-names.js";
import type { ListedImage } from "../oci/layout-content.js";
import { selectorOf } from "../oci/selector.js";
import { ArchiveFiles } from "../tar/archive-files.js";
import { readDockerList, readLayerDigests, type SavedImage } from "./docker-list.js";

const layerTypes = { gzip: mediaTypes.ociLayerGzip, zstd: mediaTypes.ociLayerZstd } as const;

/**
 * An archive of `docker save` as a source, read in place. Generates a reproducible OCI manifest for each image. Compressed
 * layers are hashed first. A compressed archive is decompressed into a temporary folder: dispose of it.
 */
export class DockerArchiveSource implements ContentSource, AsyncDisposable {
  readonly ref: PathRef;
  readonly #files: ArchiveFiles;
  readonly #manifests = new Map<Digest, Uint8Array>();
  /** The locations of blobs in the archive. */
  readonly #names = new Map<Digest, string>();

  constructor(file: string, options: UnpackOptions = {}) {
    const path = file === "-" ? file : resolvePath(file);
    this.ref = { transport: "docker-archive", path };
    this.#files = new ArchiveFiles(path, options);
  }

  /**
   * Resolves one of `RepoTags`, `docker.io/library/` and `:latest` optional; `@0` is the first; an empty string or reference the only one.
   * @throws MOTE_NOT_FOUND with the tags · MOTE_UNSUPPORTED_FORMAT without `manifest.json` · MOTE_INVALID_ARCHIVE · MOTE_INVALID_MANIFEST
   */
  async resolve(ref: Ref | string, options: Cancellable = {}): Promise<Descriptor> {
    const images = await readDockerList(this.#files, options);
    const { tag, index, digest } = selectorOf(ref);
    if (digest !== undefined) {
      for (const image of images) {
        const described = await this.#describe(image, options);
        if (described.digest === digest) return described;
      }
    } else if (tag !== undefined) {
      const named = images.find(({ tags }) => tags.some((one) => fullName(one) === fullName(tag)));
      if (named !== undefined) return this.#describe(named, options);
    } else {
      const only = images[index ?? 0];
      if (only !== undefined && (index !== undefined || images.length === 1)) return this.#describe(only, options);
    }
    throw this.#absent(digest ?? tag ?? (index === undefined ? "a single image" : `@${index}`), images);
  }

  /** Lists its images, one for each of their names. @throws as `resolve` */
  async images(options: Cancellable = {}): Promise<readonly ListedImage[]> {
    const listed: ListedImage[] = [];
    for (const image of await readDockerList(this.#files, options)) {
      const descriptor = await this.#describe(image, options);
      for (const name of image.tags.length === 0 ? [undefined] : image.tags) listed.push({ name, descriptor });
    }
    return listed;
  }

  /** @throws MOTE_NOT_FOUND unless it was resolved */
  async manifest({ digest }: Descriptor): Promise<Uint8Array> {
    const bytes = this.#manifests.get(digest);
    if (bytes !== undefined) return bytes;
    throw new MoteError("MOTE_NOT_FOUND", `${this.#files.location} has no manifest ${digest}`, { details: { digest } });
  }

  /** Chunks of 1 MiB. @throws MOTE_NOT_FOUND unless its image was resolved · MOTE_IO · MOTE_CORRUPT while reading */
  async blob(descriptor: Descriptor, options: BlobOptions = {}): Promise<MoteReader> {
    const { digest } = descriptor;
    const name = this.#names.get(digest);
    if (name === undefined) {
      throw new MoteError("MOTE_NOT_FOUND", `${this.#files.location} has no blob ${digest}`, { details: { digest } });
    }
    return openBlob(this.#files, name, descriptor, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
  }

  async #describe(image: SavedImage, options: Cancellable): Promise<Descriptor> {
    const configBytes = await readSmallFile(this.#files, image.config, { ...options, maxBytes: maxManifestBytes });
    const layerDigests = readLayerDigests(configBytes, image, this.#files.location);
    const config = this.#keep(image.config, mediaTypes.ociConfig, digestBytes(configBytes), configBytes.byteLength);
    const layers: Descriptor[] = [];
    for (const [at, name] of image.layers.entries()) {
      layers.push(await this.#describeLayer(name, layerDigests?.[at], options));
    }
    const mediaType = mediaTypes.ociManifest;
    const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
    const digest = digestBytes(bytes);
    this.#manifests.set(digest, bytes);
    return { mediaType, digest, size: bytes.byteLength };
  }

  async #describeLayer(name: string, plain: Digest | undefined, options: Cancellable): Promise<Descriptor> {
    const file = await this.#files.open(name, options);
    try {
      const compression = await compressionOfFile(file);
      if (compression === undefined && plain !== undefined) {
        return this.#keep(name, mediaTypes.ociLayer, plain, file.size);
      }
      const mediaType = compression === undefined ? mediaTypes.ociLayer : layerTypes[compression];
      return this.#keep(name, mediaType, await hashFile(file, name, options), file.size);
    } finally {
      await file.handle.close();
    }
  }

  #keep(name: string, mediaType: string, digest: Digest, size: number): Descriptor {
    this.#names.set(digest, name);
    return { mediaType, digest, size };
  }

  #absent(wanted: string, images: readonly SavedImage[]): MoteError {
    const tags = images.flatMap((image) => image.tags);
    const there = tags.length > 0 ? tags.slice(0, 20).join(", ") : `${images.length} without a name (@0 …)`;
    return new MoteError("MOTE_NOT_FOUND", `${this.#files.location} does not contain ${wanted}; it contains ${there}`, {
      details: { path: this.#files.location, wanted, tags },
    });
  }
}
