import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  type BlobInfoCache,
  type ContentDestination,
  type ContentSource,
  type Logger,
  MoteError,
  NilCache,
  silentLogger,
} from "@mote/core";
import { TransportTable } from "@mote/ref";
import { viewOf } from "./cache-view.js";
import { Client } from "./client.js";
import { Endpoints } from "./endpoints/endpoints.js";
import type { EndpointsOptions } from "./endpoints/registries-options.js";
import { transports } from "./endpoints/transports.js";
import type { EndpointOptions, OpenMote, OpenMoteOptions } from "./mote.js";
import { noCacheFolder } from "./references/home-paths.js";
import { References } from "./references/references.js";
import { SizeBound } from "./transfers/size-bound.js";

/** Opens a cache, with everything that is usually wanted around it. @throws MOTE_UNWRITABLE · MOTE_CONFIG · MOTE_UNSUPPORTED_FORMAT · MOTE_IO */
export async function openMote(options: OpenMoteOptions): Promise<OpenMote> {
  const { dir, maxSize, tags, tier, signal } = options;
  const endpoints = endpointsOptions(options);
  const { logger } = endpoints;
  if (maxSize !== undefined && !(maxSize >= 0)) throw new TypeError("maxSize must be a number of bytes from 0");
  if (options.cache !== undefined) {
    if (dir !== undefined) throw new TypeError("openMote takes dir or cache, not both");
    const cache = viewOf(options.cache, { tags, tier });
    await cache.initialize({ signal });
    const bic = options.bic ?? (await memoryBlobInfoCache());
    const owned = options.bic === undefined ? [bic] : [];
    return new Client({ dir: "", cache, bic, owned, sizeBound: boundOf(cache, maxSize, logger), endpoints });
  }
  if (dir === undefined) {
    if (!options.cacheOptional) throw noCacheFolder();
    return withoutCache("", noCacheFolder(), options, endpoints);
  }
  const { FileCache, checkFolderLocation } = await import("@mote/fs");
  // An invalid path is an error, even if the cache is optional.
  checkFolderLocation(resolve(dir));
  const folder = new FileCache(dir, { logger, durability: options.durability, fallback: tier });
  try {
    await folder.initialize({ signal, createMissing: !options.readOnly });
  } catch (error) {
    const missing = MoteError.isInstance(error) && (error.code === "MOTE_UNWRITABLE" || error.code === "MOTE_NO_SPACE");
    if (!options.cacheOptional || !missing) throw error;
    return withoutCache(dir, error, options, endpoints);
  }
  const cache = viewOf(folder, { tags });
  const bic = options.bic ?? (await openBlobInfoCache(join(dir, ".mote", "blob-info.lmdb"), options));
  const owned = options.bic === undefined ? [bic, cache] : [cache];
  return new Client({ dir, cache, bic, owned, sizeBound: boundOf(cache, maxSize, logger), endpoints });
}

/** Opens a reference's location for reading. The caller disposes of it. @throws MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT · MOTE_CONFIG */
export async function openSource(reference: string, options: EndpointOptions = {}): Promise<ContentSource> {
  const opening = endpointsOptions(options);
  const endpoints = new Endpoints(opening);
  return endpoints.own(await endpoints.source(opening.references.parseMovable(reference, "source")));
}

/** Opens what a reference names, to write to. The caller disposes of it. @throws as `openSource` */
export async function openDestination(
  reference: string,
  options: EndpointOptions & { readonly overwrite?: boolean | undefined } = {},
): Promise<ContentDestination> {
  const opening = endpointsOptions(options);
  const endpoints = new Endpoints(opening);
  const ref = opening.references.parseMovable(reference, "destination");
  return endpoints.own(await endpoints.destination(ref, options));
}

function endpointsOptions(options: EndpointOptions): EndpointsOptions {
  const { logger = silentLogger, plainHttp, registries, unpack, offline, transports: added = [] } = options;
  const references = new References(new TransportTable([...transports, ...added]));
  return { logger, plainHttp, registries, unpack, offline, references };
}

function boundOf(cache: OpenMote["cache"], maxSize: number | undefined, logger: Logger): SizeBound | undefined {
  return maxSize === undefined ? undefined : new SizeBound(cache, { maxSize, logger });
}

async function withoutCache(
  dir: string,
  { message }: MoteError,
  { bic, tags, tier }: OpenMoteOptions,
  endpoints: EndpointsOptions,
): Promise<OpenMote> {
  endpoints.logger.warn(`continuing without a cache: ${message}`);
  const cache = viewOf(new NilCache(), { tags, tier });
  return new Client({ dir, cache, bic: bic ?? (await memoryBlobInfoCache()), owned: [], endpoints });
}

async function memoryBlobInfoCache(): Promise<BlobInfoCache> {
  const { MemoryBlobInfoCache } = await import("@mote/bic-memory");
  return new MemoryBlobInfoCache();
}

async function openBlobInfoCache(path: string, { readOnly, logger }: OpenMoteOptions): Promise<BlobInfoCache> {
  if (readOnly && !existsSync(path)) return memoryBlobInfoCache();
  const { LmdbBlobInfoCache } = await import("@mote/bic-lmdb");
  // A caller that only inspects is not told that nothing can be recorded.
  return new LmdbBlobInfoCache(path, readOnly ? {} : { logger });
}
