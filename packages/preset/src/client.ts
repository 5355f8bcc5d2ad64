import {
  type BlobInfoCache,
  type Cancellable,
  type ContentDestination,
  type ContentSource,
  type Digest,
  type KnownLocations,
  knownLocations,
  LayerBlobInfo,
  LayerLocator,
  type MoteCache,
  type MoteInfo,
  type TagStore,
} from "@mote/core";
import type { FileInput } from "@mote/layout";
import type { RegistryServer, ServeOptions } from "@mote/server";
import { Endpoints } from "./endpoints/endpoints.js";
import type { EndpointsOptions } from "./endpoints/registries-options.js";
import type { Image } from "./images/image.js";
import type { ImageOptions, OpenMote, PullOptions, PushFilesOptions, RepairOptions } from "./mote.js";
import { type FoundMote, findByName } from "./references/find-by-name.js";
import type { MoveReport } from "./transfers/move-report.js";
import { Mover } from "./transfers/mover.js";
import { Repair } from "./transfers/repair.js";
import type { SizeBound } from "./transfers/size-bound.js";

export interface ClientDependencies {
  readonly dir: string;
  readonly cache: MoteCache;
  readonly bic: BlobInfoCache;
  /** What `close` closes, in this order. */
  readonly owned: readonly AsyncDisposable[];
  readonly sizeBound?: SizeBound | undefined;
  readonly endpoints: EndpointsOptions;
}

/** The use cases over the parts that it is given. */
export class Client implements OpenMote {
  readonly dir: string;
  readonly cache: MoteCache;
  readonly tags: TagStore;
  readonly bic: BlobInfoCache;
  readonly locator: LayerLocator;
  readonly #options: EndpointsOptions;
  readonly #endpoints: Endpoints;
  readonly #mover: Mover;
  readonly #owned: readonly AsyncDisposable[];
  readonly #sizeBound: SizeBound | undefined;

  constructor({ dir, cache, bic, owned, sizeBound, endpoints: options }: ClientDependencies) {
    this.dir = dir;
    this.cache = cache;
    this.tags = cache.tags ?? noTags;
    this.bic = bic;
    this.locator = new LayerLocator(bic, options.references.absoluteCodec);
    this.#options = options;
    this.#endpoints = new Endpoints(options);
    this.#owned = owned;
    this.#sizeBound = sizeBound;
    const { logger, references } = options;
    const { tags } = this;
    this.#mover = new Mover({ cache, tags, bic, logger, references, endpoints: this.#endpoints, sizeBound });
  }

  pull(source: string, destination?: string, options: PullOptions = {}): Promise<MoveReport> {
    return this.#mover.pull(source, destination, options);
  }

  copy(source: string, destination: string, options: PullOptions = {}): Promise<MoveReport> {
    return this.#mover.copy(source, destination, options);
  }

  push(source: string, destination: string, options: PullOptions = {}): Promise<MoveReport> {
    return this.#mover.copy(source, destination, options);
  }

  pushFiles(files: readonly FileInput[], destination: string, options: PushFilesOptions = {}): Promise<MoveReport> {
    return this.#mover.pushFiles(files, destination, options);
  }

  async addFile(path: string, options: Cancellable = {}): Promise<MoteInfo> {
    const { addFile } = await import("./files/add-file.js");
    return addFile(this.cache, path, options);
  }

  async addStream(chunks: AsyncIterable<Uint8Array>, options: Cancellable = {}): Promise<MoteInfo> {
    const { addStream } = await import("./files/add-file.js");
    return addStream(this.cache, chunks, options);
  }

  find(text: string): Promise<FoundMote> {
    return findByName(this.cache, text, { references: this.#options.references });
  }

  async image(name: string, options: ImageOptions = {}): Promise<Image> {
    const { openImage } = await import("./images/image.js");
    const { digest } = await this.find(name);
    return openImage(this.cache, { digest, name }, { ...options, unpack: this.#options.unpack });
  }

  async locate(digest: Digest, options: Cancellable = {}): Promise<string[]> {
    const sources = await new LayerBlobInfo([digest], this.locator).getSources(options);
    return sources.get(digest) ?? [];
  }

  async knownLocations(
    digest: Digest,
    { destination, signal }: Cancellable & { readonly destination?: string | undefined } = {},
  ): Promise<KnownLocations> {
    const { references } = this.#options;
    const ref = destination === undefined ? undefined : references.parse(destination);
    return knownLocations(this.bic, references.codec, digest, { destination: ref, signal });
  }

  repair(options: RepairOptions = {}): Promise<string[]> {
    const { cache, bic } = this;
    const { references } = this.#options;
    const complete = this.#mover.complete.bind(this.#mover);
    return new Repair({ cache, bic, endpoints: this.#endpoints, references, complete }, options).run();
  }

  async serve(options: Omit<ServeOptions, "source" | "tags"> = {}): Promise<RegistryServer> {
    const { serve } = await import("@mote/server");
    return serve({ source: this.cache, tags: this.tags, logger: this.#options.logger, ...options });
  }

  async openSource(reference: string): Promise<ContentSource> {
    return this.#endpoints.source(this.#options.references.parseMovable(reference, "source"));
  }

  async openDestination(
    reference: string,
    options: { readonly overwrite?: boolean | undefined } = {},
  ): Promise<ContentDestination> {
    return this.#endpoints.destination(this.#options.references.parseMovable(reference, "destination"), options);
  }

  async close(): Promise<void> {
    await this.#endpoints.close();
    await this.#sizeBound?.settled();
    for (const part of this.#owned) await part[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The names of a cache that has none. */
const noTags: TagStore = {
  async resolve() {
    return undefined;
  },
  async tag() {},
  async untag() {},
  async *list() {},
};
