import {
  type BlobInfoCache,
  knownLocations,
  LayerBlobInfo,
  LayerLocator,
  type MoteCache,
  type TagStore,
} from "@mote/core";
import type { RegistryServer } from "@mote/server";
import { Endpoints } from "./endpoints/endpoints.js";
import type { EndpointsOptions } from "./endpoints/registries-options.js";
import type { SharedStores } from "./mirror/open-fleet.js";
import type { OpenMote, ServeMoteOptions } from "./mote.js";
import type { Parts } from "./parts.js";
import { findByName } from "./references/find-by-name.js";
import { checkReadable } from "./serving.js";
import { Mover } from "./transfers/mover.js";
import { repair } from "./transfers/repair.js";
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

/** Returns the operations of `OpenMote`. The code of most is imported when they are called. */
export function openClient(dependencies: ClientDependencies): OpenMote {
  const { dir, cache, bic, owned, sizeBound, endpoints: options } = dependencies;
  const { logger, references, unpack } = options;
  const tags = cache.tags ?? noTags;
  const endpoints = new Endpoints(options);
  const parts: Parts = { cache, tags, bic, endpoints, references, logger };
  const mover = new Mover(parts, sizeBound);
  const locator = new LayerLocator(bic, references.absoluteCodec);
  const close = async () => {
    await endpoints.close();
    await sizeBound?.close();
    for (const part of owned) await part[Symbol.asyncDispose]();
  };
  const mote: OpenMote = {
    ...{ dir, cache, tags, bic, locator, close, [Symbol.asyncDispose]: close },
    pull: (source, destination, options = {}) => mover.pull(source, destination, options),
    copy: (source, destination, options = {}) => mover.copy(source, destination, options),
    push: (source, destination, options = {}) => mover.copy(source, destination, options),
    pushFiles: (files, destination, options = {}) => mover.pushFiles(files, destination, options),
    async sync(source, destination, options = {}) {
      const { sync } = await import("./sync/sync.js");
      return sync(source, destination, options, { parts, mover });
    },
    async delta(from, to, destination, options = {}) {
      const { makeDeltas } = await import("./deltas/make-deltas.js");
      return makeDeltas([from, to], destination, options, { parts, mover });
    },
    async addFile(path, options = {}) {
      const { addFile } = await import("./files/add-file.js");
      return addFile(cache, path, options);
    },
    async addStream(chunks, options = {}) {
      const { addStream } = await import("./files/add-file.js");
      return addStream(cache, chunks, options);
    },
    find: (text) => findByName(cache, references, text),
    async image(name, options = {}) {
      const { openImage } = await import("./images/image.js");
      const { digest } = await findByName(cache, references, name);
      return openImage(cache, { digest, name }, { ...options, unpack });
    },
    async inspect(reference, options = {}) {
      const { inspect } = await import("./inspection/inspect.js");
      return inspect(parts, reference, options);
    },
    async readDocument(reference, what, options = {}) {
      const { readDocument } = await import("./inspection/documents.js");
      return readDocument(parts, reference, what, options);
    },
    async diff(first, second, options = {}) {
      const { diffImages } = await import("./inspection/diff-images.js");
      return diffImages(parts, [first, second], options);
    },
    async listTags(repository, options = {}) {
      const { listTags } = await import("./inspection/list-tags.js");
      return listTags(parts, repository, options);
    },
    async files(reference, options = {}) {
      const { openImageFiles } = await import("./images/open-image-files.js");
      return openImageFiles(parts, reference, { ...options, unpack });
    },
    async unpack(source, dir, options = {}) {
      const { unpackImage } = await import("./images/unpack-image.js");
      return unpackImage({ parts, mover, unpack }, source, dir, options);
    },
    async place(source, tool, options = {}) {
      const { placeModel } = await import("./transfers/place-model.js");
      return placeModel({ parts, mover }, source, tool, options);
    },
    async locate(digest, options = {}) {
      return (await new LayerBlobInfo([digest], locator).getSources(options)).get(digest) ?? [];
    },
    async knownLocations(digest, { destination: text, signal } = {}) {
      const destination = text === undefined ? undefined : references.parse(text);
      return knownLocations(bic, references.codec, digest, { destination, signal });
    },
    repair: (options = {}) => repair(parts, mover, options),
    serve: (settings = {}) => serveMote(settings, parts, dependencies),
    openSource: async (reference) => endpoints.source(references.parseMovable(reference, "source")),
    openDestination: async (reference, options = {}) =>
      endpoints.destination(references.parseMovable(reference, "destination"), options),
  };
  return mote;
}

async function serveMote(
  { mirror, push = false, advertise, fleetSecret, fetchLeases, ...options }: ServeMoteOptions,
  parts: Parts,
  { dir, near, sizeBound, shared, endpoints: { registries } }: ClientDependencies,
): Promise<RegistryServer> {
  const { serve } = await import("@mote/server");
  const { cache, tags } = parts;
  const { logger = parts.logger } = options;
  const checkReady = () => checkReadable(near, dir);
  const served = {
    ...{ source: cache, tags, maxCacheBytes: sizeBound?.maxSize, checkReady, ...options, logger },
    push: push ? cache : undefined,
  };
  const { openFleet, withoutUpstreams } = await import("./mirror/open-fleet.js");
  if (mirror === undefined || mirror.upstreams.length === 0) {
    if (advertise !== undefined) throw withoutUpstreams();
    return serve(served);
  }
  const { openMirror } = await import("./mirror/open-mirror.js");
  const opening = { ...parts, logger, shared, registries };
  const fleet =
    advertise === undefined
      ? undefined
      : await openFleet({ url: advertise, secret: fleetSecret, leases: fetchLeases }, opening);
  const pullThrough = await openMirror(mirror, { ...opening, sizeBound, fleet: fleet?.followed });
  const server = await serve({ ...served, pullThrough, fleet: fleet?.served });
  const close = async () => {
    await server.close();
    for (const used of [pullThrough, fleet]) await used?.[Symbol.asyncDispose]();
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
