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
import type { DeltaOptions, DeltaReport } from "./deltas/types.js";
import { Endpoints } from "./endpoints/endpoints.js";
import type { EndpointsOptions } from "./endpoints/registries-options.js";
import type { Image } from "./images/image.js";
import type { ImageFiles, ImageFilesOptions } from "./images/image-files.js";
import type { UnpackedImage, UnpackImageOptions } from "./images/unpacked-image.js";
import type { DiffOptions, ImageDiff } from "./inspection/image-diff.js";
import type { DocumentKind, Inspection, InspectOptions, ReferenceDocument } from "./inspection/inspection.js";
import type { ListTagsOptions, TagList } from "./inspection/tag-list.js";
import type { SharedStores } from "./mirror/open-fleet.js";
import type {
  ImageOptions,
  OpenMote,
  PlaceModelOptions,
  PullOptions,
  PushFilesOptions,
  RepairOptions,
  ServeMoteOptions,
} from "./mote.js";
import type { Parts } from "./parts.js";
import { type FoundMote, findByName } from "./references/find-by-name.js";
import { checkReadable } from "./serving.js";
import type { SyncOptions, SyncReport, SyncSource } from "./sync/types.js";
import type { MoveReport } from "./transfers/move-report.js";
import { Mover } from "./transfers/mover.js";
import type { PlacedModel } from "./transfers/placed-model.js";
import { Repair } from "./transfers/repair.js";
import type { SizeBound } from "./transfers/size-bound.js";

export interface ClientDependencies {
  readonly dir: string;
  readonly cache: MoteCache;
  /** The cache without the tier behind it. */
  readonly near: MoteCache;
  readonly bic: BlobInfoCache;
  /** Closed by `close`, in this order. */
  readonly owned: readonly AsyncDisposable[];
  readonly sizeBound?: SizeBound | undefined;
  readonly shared: SharedStores;
  readonly endpoints: EndpointsOptions;
}

/** The operations of `OpenMote`. */
export class Client implements OpenMote {
  readonly dir: string;
  readonly cache: MoteCache;
  readonly tags: TagStore;
  readonly bic: BlobInfoCache;
  readonly locator: LayerLocator;
  readonly #parts: Parts;
  readonly #near: MoteCache;
  readonly #unpack: EndpointsOptions["unpack"];
  readonly #mover: Mover;
  readonly #owned: readonly AsyncDisposable[];
  readonly #sizeBound: SizeBound | undefined;
  readonly #shared: SharedStores;
  readonly #registries: EndpointsOptions["registries"];

  constructor({ dir, cache, near, bic, owned, sizeBound, shared, endpoints: options }: ClientDependencies) {
    this.dir = dir;
    this.cache = cache;
    this.#near = near;
    this.tags = cache.tags ?? noTags;
    this.bic = bic;
    this.locator = new LayerLocator(bic, options.references.absoluteCodec);
    const { logger, references, unpack } = options;
    this.#parts = { cache, tags: this.tags, bic, endpoints: new Endpoints(options), references, logger };
    this.#unpack = unpack;
    this.#owned = owned;
    this.#sizeBound = sizeBound;
    this.#shared = shared;
    this.#registries = options.registries;
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

  async sync(source: SyncSource, destination: string, options: SyncOptions = {}): Promise<SyncReport> {
    const { sync } = await import("./sync/sync.js");
    return sync(source, destination, options, { parts: this.#parts, mover: this.#mover });
  }

  async delta(from: string, to: string, destination?: string, options: DeltaOptions = {}): Promise<DeltaReport> {
    const { makeDeltas } = await import("./deltas/make-deltas.js");
    return makeDeltas([from, to], destination, options, { parts: this.#parts, mover: this.#mover });
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
    return findByName(this.cache, this.#parts.references, text);
  }

  async image(name: string, options: ImageOptions = {}): Promise<Image> {
    const { openImage } = await import("./images/image.js");
    const { digest } = await this.find(name);
    return openImage(this.cache, { digest, name }, { ...options, unpack: this.#unpack });
  }

  async inspect(reference: string, options: InspectOptions = {}): Promise<Inspection> {
    const { inspect } = await import("./inspection/inspect.js");
    return inspect(this.#parts, reference, options);
  }

  async readDocument(reference: string, what: DocumentKind, options: InspectOptions = {}): Promise<ReferenceDocument> {
    const { readDocument } = await import("./inspection/documents.js");
    return readDocument(this.#parts, reference, what, options);
  }

  async diff(first: string, second: string, options: DiffOptions = {}): Promise<ImageDiff> {
    const { diffImages } = await import("./inspection/diff-images.js");
    return diffImages(this.#parts, [first, second], options);
  }

  async listTags(repository: string, options: ListTagsOptions = {}): Promise<TagList> {
    const { listTags } = await import("./inspection/list-tags.js");
    return listTags(this.#parts, repository, options);
  }

  async files(reference: string, options: ImageFilesOptions = {}): Promise<ImageFiles> {
    const { openImageFiles } = await import("./images/open-image-files.js");
    return openImageFiles(this.#parts, reference, { ...options, unpack: this.#unpack });
  }

  async unpack(source: string, dir: string, options: UnpackImageOptions = {}): Promise<UnpackedImage> {
    const { unpackImage } = await import("./images/unpack-image.js");
    return unpackImage({ parts: this.#parts, mover: this.#mover, unpack: this.#unpack }, source, dir, options);
  }

  async place(source: string, tool: string, options: PlaceModelOptions = {}): Promise<PlacedModel> {
    const { placeModel } = await import("./transfers/place-model.js");
    return placeModel({ parts: this.#parts, mover: this.#mover }, source, tool, options);
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

  async serve(settings: ServeMoteOptions = {}): Promise<RegistryServer> {
    const { mirror, push = false, advertise, fleetSecret, fetchLeases, ...options } = settings;
    const { serve } = await import("@mote/server");
    const { cache, tags } = this;
    const { logger = this.#parts.logger } = options;
    const maxCacheBytes = this.#sizeBound?.maxSize;
    const checkReady = () => checkReadable(this.#near, this.dir);
    const served = {
      ...{ source: cache, tags, maxCacheBytes, checkReady, ...options, logger },
      push: push ? cache : undefined,
    };
    const { openFleet, withoutUpstreams } = await import("./mirror/open-fleet.js");
    if (mirror === undefined || mirror.upstreams.length === 0) {
      if (advertise !== undefined) throw withoutUpstreams();
      return serve(served);
    }
    const { openMirror } = await import("./mirror/open-mirror.js");
    const opening = { ...this.#parts, logger, shared: this.#shared, registries: this.#registries };
    const fleet =
      advertise === undefined
        ? undefined
        : await openFleet({ url: advertise, secret: fleetSecret, leases: fetchLeases }, opening);
    const pullThrough = await openMirror(mirror, { ...opening, sizeBound: this.#sizeBound, fleet: fleet?.followed });
    const server = await serve({ ...served, pullThrough, fleet: fleet?.served });
    return closingAfter(server, [pullThrough, ...(fleet === undefined ? [] : [fleet])]);
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
    await this.#sizeBound?.close();
    for (const part of this.#owned) await part[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Returns a server whose `close` also closes the resources of its requests. */
function closingAfter(server: RegistryServer, used: readonly AsyncDisposable[]): RegistryServer {
  const close = async () => {
    await server.close();
    for (const each of used) await each[Symbol.asyncDispose]();
  };
  return { ...server, close, [Symbol.asyncDispose]: close };
}

/** The tag store of a cache without names. */
const noTags: TagStore = {
  async resolve() {
    return undefined;
  },
  async tag() {},
  async untag() {},
  async *list() {},
};
