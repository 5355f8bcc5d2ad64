import {
  type Cancellable,
  type ContentDestination,
  type Descriptor,
  type Digest,
  digestEncoded,
  isIndexType,
  MoteError,
  mediaTypes,
  parseManifest,
} from "@mote/core";
import { blobPath } from "./layout-paths.js";
import { StagedArchive } from "./staged-archive.js";
import type { TarContent } from "./tar-file.js";

/**
 * An archive as `docker save` writes and `docker load` reads, with `manifest.json`; as a place that content goes to. It holds
 * images, not indexes and not other artifacts. Layers stay as they are, compressed or not: who loads them looks. It is there,
 * whole, after `commit`, over one that was there before.
 */
export class DockerArchiveDestination extends StagedArchive implements ContentDestination {
  readonly #manifests = new Map<Digest, Uint8Array>();
  readonly #images = new Map<Digest, { readonly descriptor: Descriptor; readonly names: Set<string> }>();

  constructor(file: string) {
    super(file, "docker-archive");
  }

  /** @throws MOTE_UNSUPPORTED_FORMAT for an index · MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH */
  async manifest(descriptor: Descriptor, bytes: Uint8Array, options?: Cancellable): Promise<void> {
    if (isIndexType(descriptor.mediaType)) {
      throw this.#unfit(descriptor, "an index of several images; choose a platform");
    }
    await this.staging.layout.manifest(descriptor, bytes, options);
    this.#manifests.set(descriptor.digest, bytes);
  }

  /** `name` is `repository:tag`, as `docker load` gives it; any other is left out, as it would be no image's name there. */
  async tag(name: string, descriptor: Descriptor): Promise<void> {
    if (!this.#manifests.has(descriptor.digest)) {
      throw new MoteError("MOTE_NOT_FOUND", `${descriptor.digest} cannot be tagged: it was not put here`);
    }
    const image = this.#images.get(descriptor.digest) ?? { descriptor, names: new Set<string>() };
    this.#images.set(descriptor.digest, image);
    if (name !== descriptor.digest && name.includes(":")) image.names.add(name);
  }

  /** @throws MOTE_UNSUPPORTED_FORMAT for what is no image · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO */
  async commit(options: Cancellable = {}): Promise<void> {
    const { dir } = this.staging;
    if (dir === undefined) return;
    for (const { descriptor } of this.#images.values()) await this.#assertWhole(descriptor, options);
    const blobs = new Map<string, TarContent>();
    const add = ({ digest }: Descriptor, suffix: string): string => {
      const name = `${digestEncoded(digest)}${suffix}`;
      blobs.set(name, { path: blobPath(dir, digest) });
      return name;
    };
    const list = [...this.#images.values()].map(({ descriptor, names }) => {
      const { config, layers } = this.#image(descriptor);
      const Layers = layers.map((layer) => add(layer, ".tar"));
      return { Config: add(config, ".json"), RepoTags: names.size === 0 ? null : [...names], Layers };
    });
    const sorted = [...blobs].sort(([a], [b]) => (a < b ? -1 : 1));
    const bytes = new TextEncoder().encode(JSON.stringify(list));
    await this.staging.pack(new Map([["manifest.json", { bytes }], ...sorted]), options);
    this.#images.clear();
    this.#manifests.clear();
  }

  /** Its readers look for every layer in it, also for those that are to be had elsewhere. */
  async #assertWhole(image: Descriptor, options: Cancellable): Promise<void> {
    for (const layer of this.#image(image).layers) {
      if (await this.has(layer, options)) continue;
      throw this.#unfit(
        image,
        `an image without its layer ${layer.digest}, which may not be distributed; use oci-archive`,
      );
    }
  }

  #image(descriptor: Descriptor) {
    const bytes = this.#manifests.get(descriptor.digest) ?? new Uint8Array(0);
    const manifest = parseManifest(bytes, descriptor.mediaType);
    if (manifest.kind === "index") throw this.#unfit(descriptor, "an index of several images; choose a platform");
    const { mediaType } = manifest.config;
    if (mediaType !== mediaTypes.ociConfig && mediaType !== mediaTypes.dockerConfig) {
      throw this.#unfit(descriptor, `no image (its configuration is ${mediaType}); use oci-archive`);
    }
    return manifest;
  }

  #unfit({ digest }: Descriptor, what: string): MoteError {
    const { path } = this.staging;
    return new MoteError("MOTE_UNSUPPORTED_FORMAT", `${path} cannot hold ${digest}: it is ${what}`, {
      details: { path, digest },
    });
  }
}
