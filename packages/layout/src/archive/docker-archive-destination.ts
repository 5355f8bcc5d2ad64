import {
  type Cancellable,
  type ContentDestination,
  type Descriptor,
  type Digest,
  digestEncoded,
  isCosignTag,
  isIndexType,
  MoteError,
  mediaTypes,
  parseManifest,
} from "@mote/core";
import { blobPath } from "../oci/layout-paths.js";
import type { ArchiveFiles } from "../tar/archive-files.js";
import type { TarContent } from "../tar/tar-file.js";
import { readDockerList, type SavedImage } from "./docker-list.js";
import { type AddedImage, mergeImages } from "./docker-merge.js";
import { type ArchiveDestinationOptions, StagedArchive } from "./staged-archive.js";

/**
 * An archive for `docker load` as a destination, complete after `commit`. It contains only images. Adds them to an existing archive,
 * which an error leaves unchanged. Writes a FIFO, a device or `-` (stdout) sequentially.
 */
export class DockerArchiveDestination extends StagedArchive implements ContentDestination {
  readonly #manifests = new Map<Digest, Uint8Array>();
  readonly #images = new Map<Digest, { readonly descriptor: Descriptor; readonly names: Set<string> }>();

  constructor(file: string, options: ArchiveDestinationOptions = {}) {
    super(file, "docker-archive", options, assertDockerArchive);
  }

  /** @throws MOTE_UNSUPPORTED_FORMAT for an index · MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH */
  async manifest(descriptor: Descriptor, bytes: Uint8Array, options?: Cancellable): Promise<void> {
    if (isIndexType(descriptor.mediaType)) {
      throw this.#unfit(descriptor, "an index of several images; choose a platform");
    }
    await this.layout.manifest(descriptor, bytes, options);
    this.#manifests.set(descriptor.digest, bytes);
  }

  /** Sets `repository:tag`, as for `docker load`; ignores other names. @throws MOTE_UNSUPPORTED_FORMAT for a signature's tag */
  async tag(name: string, descriptor: Descriptor): Promise<void> {
    if (isCosignTag(name)) throw this.#unfit(descriptor, `what belongs to an image as ${name}; use oci-archive`);
    if (!this.#manifests.has(descriptor.digest)) {
      throw new MoteError(
        "MOTE_NOT_FOUND",
        `${descriptor.digest} cannot be tagged: it was not written to this archive`,
      );
    }
    const image = this.#images.get(descriptor.digest) ?? { descriptor, names: new Set<string>() };
    this.#images.set(descriptor.digest, image);
    if (name !== descriptor.digest && name.includes(":")) image.names.add(name);
  }

  /** @throws MOTE_UNSUPPORTED_FORMAT if not an image · MOTE_EXISTS unless `overwrite` · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_TIMEOUT · MOTE_IO */
  async commit(options: Cancellable = {}): Promise<void> {
    const { dir } = this;
    if (dir === undefined) return;
    for (const { descriptor } of this.#images.values()) await this.#assertWhole(descriptor, options);
    const files = new Map<string, TarContent>();
    const add = ({ digest }: Descriptor, suffix: string): string => {
      const name = `${digestEncoded(digest)}${suffix}`;
      files.set(name, { path: blobPath(dir, digest) });
      return name;
    };
    const own = [...this.#images.values()].map(({ descriptor, names }): AddedImage => {
      const { config, layers } = this.#image(descriptor);
      return {
        config: add(config, ".json"),
        tags: [...names],
        layers: layers.map((layer) => add(layer, ".tar")),
        id: config.digest,
      };
    });
    const { overwrite, path } = this;
    const compose = async (existing: ArchiveFiles | undefined) => {
      if (existing === undefined) return filesOf(own, (name) => files.get(name));
      const images = await mergeImages(existing, own, { ...options, overwrite, path });
      // Staged files were verified, so they replace files of the same name.
      return filesOf(images, (name) => files.get(name) ?? { path, open: () => existing.open(name, options) });
    };
    await this.pack(compose, options);
    this.#images.clear();
    this.#manifests.clear();
  }

  /** Readers need every layer in it, including foreign layers. */
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
    const { config, layers } = manifest;
    if (config?.mediaType !== mediaTypes.ociConfig && config?.mediaType !== mediaTypes.dockerConfig) {
      const what = config === undefined ? "it has no configuration" : `its configuration is ${config.mediaType}`;
      throw this.#unfit(descriptor, `not an image (${what}); use oci-archive`);
    }
    return { config, layers };
  }

  #unfit({ digest }: Descriptor, what: string): MoteError {
    const { path } = this;
    return new MoteError("MOTE_UNSUPPORTED_FORMAT", `${path} cannot store ${digest}: it is ${what}`, {
      details: { path, digest },
    });
  }
}

/** Keeps only files in the list: readers of the list ignore the files of older Docker versions. */
function filesOf(
  images: readonly SavedImage[],
  contentOf: (name: string) => TarContent | undefined,
): ReadonlyMap<string, TarContent> {
  const list = images.map(({ config, tags, layers }) => ({
    Config: config,
    RepoTags: tags.length === 0 ? null : tags,
    Layers: layers,
  }));
  const files = new Map([["manifest.json", { bytes: new TextEncoder().encode(JSON.stringify(list)) } as TarContent]]);
  for (const name of [...new Set(images.flatMap(({ config, layers }) => [config, ...layers]))].sort()) {
    const content = contentOf(name);
    if (content !== undefined) files.set(name, content);
  }
  return files;
}

/** @throws MOTE_UNSUPPORTED_FORMAT if it is not such an archive, or has other content */
async function assertDockerArchive(files: ArchiveFiles, options: Cancellable): Promise<void> {
  await readDockerList(files, options);
  if (!(await files.names(options)).includes("index.json")) return;
  const message = "it is also an OCI layout, whose index would then list other images";
  throw new MoteError("MOTE_UNSUPPORTED_FORMAT", message, { details: { path: files.location } });
}
