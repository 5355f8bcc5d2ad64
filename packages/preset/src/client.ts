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
import type { RegistryServer } from "@mote/server";
import { Endpoints } from "./endpoints/endpoints.js";
import type { EndpointsOptions } from "./endpoints/registries-options.js";
import type { Image } from "./images/image.js";
import type { ImageOptions, OpenMote, PullOptions, PushFilesOptions, RepairOptions, ServeMoteOptions } from "./mote.js";
import type { Parts } from "./parts.js";
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

/** The use cases over the given parts. */
export class Client implements OpenMote {
  readonly dir: string;
  readonly cache: MoteCache;
  readonly tags: TagStore;
  readonly bic: BlobInfoCache;
  readonly locator: LayerLocator;
  readonly #parts: Parts;
  readonly #unpack: EndpointsOptions["unpack"];
  readonly #mover: Mover;
  readonly #owned: readonly AsyncDisposable[];
  readonly #sizeBound: SizeBound | undefined;

  constructor({ dir, cache, bic, owned, sizeBound, endpoints: options }: ClientDependencies) {
    this.dir = dir;
    this.cache = cache;
    this.tags = cache.tags ?? noTags;
    this.bic = bic;
    this.locator = new LayerLocator(bic, options.references.absoluteCodec);
    const { logger, references, unpack } = options;
    this.#parts = { cache, tags: this.tags, bic, endpoints: new Endpoints(options), references, logger };
    this.#unpack = unpack;
    this.#owned = owned;
    this.#sizeBound = sizeBound;
    this.#mover = new Mover(this.#parts, sizeBound);
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
    return findByName(this.cache, text, this.#parts);
  }

  async image(name: string, options: ImageOptions = {}): Promise<Image> {
    const { openImage } = await import("./images/image.js");
    const { digest } = await this.find(name);
    return openImage(this.cache, { digest, name }, { ...options, unpack: this.#unpack });
  }

  async locate(digest: Digest, options: Cancellable = {}): Promise<string[]> {
    const sources = await new LayerBlobInfo([digest], this.locator).getSources(options);
    return sources.get(digest) ?? [];
  }

  async knownLocations(
    digest: Digest,
    { destination, signal }: Cancellable & { readonly destination?: string | undefined } = {},
  ): Promise<KnownLocations> {
    const { references } = this.#parts;
    const ref = destination === undefined ? undefined : references.parse(destination);
    return knownLocations(this.bic, references.codec, digest, { destination: ref, signal });
  }

  repair(options: RepairOptions = {}): Promise<string[]> {
    return new Repair(this.#parts, this.#mover, options).run();
  }

  async serve({ mirror, ...options }: ServeMoteOptions = {}): Promise<RegistryServer> {
    const { serve } = await import("@mote/server");
    const { cache, tags } = this;
    const { logger = this.#parts.logger } = options;
    const served = { source: cache, tags, ...options, logger };
    if (mirror === undefined || mirror.upstreams.length === 0) return serve(served);
    const { openMirror } = await import("./mirror/open-mirror.js");
    const pullThrough = await openMirror(mirror, { ...this.#parts, logger, sizeBound: this.#sizeBound });
    return closingAfter(await serve({ ...served, pullThrough }), pullThrough);
  }

  async openSource(reference: string): Promise<ContentSource> {
    return this.#parts.endpoints.source(this.#parts.references.parseMovable(reference, "source"));
  }

  async openDestination(
    reference: string,
    options: { readonly overwrite?: boolean | undefined } = {},
  ): Promise<ContentDestination> {
    return this.#parts.endpoints.destination(this.#parts.references.parseMovable(reference, "destination"), options);
  }

  async close(): Promise<void> {
    await this.#parts.endpoints.close();
    await this.#sizeBound?.settled();
    for (const part of this.#owned) await part[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Returns a server that also closes what its requests use. */
function closingAfter(server: RegistryServer, used: AsyncDisposable): RegistryServer {
  const close = async () => {
    await server.close();
    await used[Symbol.asyncDispose]();
  };
  return { ...server, close, [Symbol.asyncDispose]: close };
}

/** Tags for a cache without names. */
const noTags: TagStore = {
  async resolve() {
    return undefined;
  },
  async tag() {},
  async untag() {},
  async *list() {},
};
