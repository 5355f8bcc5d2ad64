import {
  type Cancellable,
  type Descriptor,
  type Digest,
  knownLocations,
  type Manifest,
  readDiffIds,
  readManifest,
  readMote,
} from "@mote/core";
import type { Parts } from "../parts.js";

/** How many named images are read, those of the same repository first. */
const maxImages = 50;
const maxPlatforms = 4;
/** The largest config of an image that is read, in bytes. */
export const maxConfigBytes = 4 * 1024 * 1024;

/** Finds layers in the cache by the digest of their uncompressed content. */
export class StoredForms {
  readonly #parts: Parts;
  /** The repository in the cache of the image that is pulled, such as `docker.io/library/alpine`. */
  readonly #repository: string | undefined;
  #listed: Promise<ReadonlyMap<Digest, ReadonlySet<Digest>>> | undefined;

  /** @param name the name in the cache of the image that is pulled, if it has one */
  constructor(parts: Parts, name: string | undefined) {
    this.#parts = parts;
    this.#repository = name?.replace(/[:@][^/]*$/, "");
  }

  /** Returns whether an image of the same repository is stored. */
  async hasRepository(options: Cancellable): Promise<boolean> {
    if (this.#repository === undefined) return false;
    for (const separator of [":", "@"]) {
      const prefix = `${this.#repository}${separator}`;
      for await (const _ of this.#parts.tags.list({ ...options, prefix, limit: 1 })) return true;
    }
    return false;
  }

  /** Returns whether there are images to search, so that it is worth finding out what is in a layer. */
  async isEmpty(options: Cancellable): Promise<boolean> {
    return (await this.#read(options)).size === 0;
  }

  /** Returns the stored layers whose content has this digest: those of which that was verified first, then those of which a config says so. */
  async of(diffId: Digest, { signal }: Cancellable): Promise<readonly Digest[]> {
    const { bic, cache, references } = this.#parts;
    const known = await knownLocations(bic, references.codec, diffId, { signal });
    const verified = known.otherForms.map(({ digest }) => digest);
    const said = (await this.#read({ signal })).get(diffId) ?? [];
    const stored: Digest[] = [];
    for (const digest of new Set([diffId, ...verified, ...said])) {
      if (await cache.moteExists(digest, { signal })) stored.push(digest);
    }
    return stored;
  }

  #read(options: Cancellable): Promise<ReadonlyMap<Digest, ReadonlySet<Digest>>> {
    this.#listed ??= this.#readImages(options);
    return this.#listed;
  }

  async #readImages(options: Cancellable): Promise<ReadonlyMap<Digest, ReadonlySet<Digest>>> {
    const found = new Map<Digest, Set<Digest>>();
    for (const image of await this.#images(options)) {
      for (const { layer, diffId } of await this.#layersOf(image, options)) {
        found.set(diffId, (found.get(diffId) ?? new Set()).add(layer));
      }
    }
    return found;
  }

  async #images(options: Cancellable): Promise<readonly Descriptor[]> {
    const found = new Map<Digest, Descriptor>();
    // Without a limit, a cache with many names would list them all, for each pull.
    for (const prefix of this.#repository === undefined ? [""] : [this.#repository, ""]) {
      for await (const { descriptor } of this.#parts.tags.list({ ...options, prefix, limit: maxImages })) {
        if (found.size < maxImages && !found.has(descriptor.digest)) found.set(descriptor.digest, descriptor);
      }
    }
    return [...found.values()];
  }

  /** Returns the layers of an image, or of the stored platforms of an index. Content that is missing or damaged is left out. */
  async #layersOf(
    descriptor: Descriptor,
    options: Cancellable,
  ): Promise<readonly { readonly layer: Digest; readonly diffId: Digest }[]> {
    const manifest = await this.#manifest(descriptor, options);
    if (manifest?.kind !== "index") return this.#layersIn(manifest, options);
    const layers = [];
    for (const each of manifest.manifests.slice(0, maxPlatforms)) {
      const platform = await this.#manifest(each, options);
      layers.push(...(await this.#layersIn(platform, options)));
    }
    return layers;
  }

  async #layersIn(manifest: Manifest | undefined, { signal }: Cancellable) {
    if (manifest?.kind !== "manifest" || manifest.config === undefined || manifest.layers.length === 0) return [];
    const reading = { maxBytes: maxConfigBytes, countsAsUse: false, signal };
    const config = await readMote(this.#parts.cache, manifest.config.digest, reading).catch(() => undefined);
    signal?.throwIfAborted();
    const diffIds = config && readDiffIds(config);
    if (diffIds?.length !== manifest.layers.length) return [];
    return manifest.layers.flatMap(({ digest: layer }, at) => {
      const diffId = diffIds[at];
      return diffId === undefined ? [] : [{ layer, diffId }];
    });
  }

  async #manifest(descriptor: Descriptor, { signal }: Cancellable): Promise<Manifest | undefined> {
    const manifest = await readManifest(this.#parts.cache, descriptor, { countsAsUse: false, signal }).catch(
      () => undefined,
    );
    signal?.throwIfAborted();
    return manifest;
  }
}
