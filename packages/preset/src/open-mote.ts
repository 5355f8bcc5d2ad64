import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  type BlobInfoCache,
  type ContentDestination,
  type ContentSource,
  type Digest,
  hasCode,
  type Logger,
  type MoteCache,
  type MoteError,
  NilCache,
  silentLogger,
} from "@mote/core";
import { TransportTable } from "@mote/ref";
import { openClient } from "./client.js";
import { Endpoints } from "./endpoints/endpoints.js";
import type { EndpointsOptions } from "./endpoints/registries-options.js";
import { transports } from "./endpoints/transports.js";
import type { SharedStores } from "./mirror/open-fleet.js";
import type { EndpointOptions, OpenMote, OpenMoteOptions } from "./mote.js";
import { overriding } from "./overriding.js";
import { noCacheFolder } from "./references/home-paths.js";
import { References } from "./references/references.js";
import { openBucket, openSharedBlobInfoCache, openTier } from "./tiers/open-tier.js";
import { SizeBound } from "./transfers/size-bound.js";

/** Opens a cache, its blob-info cache and its transports. @throws MOTE_UNWRITABLE · MOTE_CONFIG · MOTE_UNSUPPORTED_FORMAT · MOTE_IO */
export async function openMote(options: OpenMoteOptions): Promise<OpenMote> {
  const { dir, maxSize, signal } = options;
  const endpoints = endpointsOptions(options);
  const { logger } = endpoints;
  if (maxSize !== undefined && !(maxSize >= 0)) throw new TypeError("maxSize must be a number of bytes from 0");
  if (options.cache !== undefined) {
    if (dir !== undefined) throw new TypeError("openMote takes dir or cache, not both");
    const near =
      typeof options.cache === "string" ? await openBucket(options.cache, { ...options, logger }) : options.cache;
    const { cache, owned, shared } = await withTier(near, options, endpoints);
    // What is only inspected is not prepared for writing.
    if (!options.readOnly) await cache.initialize({ signal });
    const bic = await openBic(options, memoryBlobInfoCache);
    const sizeBound = boundOf(cache, maxSize, logger);
    const opened = typeof options.cache === "string" ? [near] : [];
    return openClient({
      dir: "",
      cache,
      near,
      ...bic,
      owned: [...bic.owned, ...owned, ...opened],
      sizeBound,
      shared,
      endpoints,
    });
  }
  if (dir === undefined) {
    if (!options.cacheOptional) throw noCacheFolder();
    return withoutCache("", noCacheFolder(), options, endpoints);
  }
  const { FileCache, checkFolderLocation } = await import("@mote/fs");
  // An invalid path is an error, even if the cache is optional.
  checkFolderLocation(resolve(dir));
  const folder = new FileCache(dir, { logger, durability: options.durability });
  try {
    await folder.initialize({ signal, createMissing: !options.readOnly });
  } catch (error) {
    const missing = hasCode(error, "MOTE_UNWRITABLE", "MOTE_NO_SPACE");
    if (!options.cacheOptional || !missing) throw error;
    return withoutCache(dir, error, options, endpoints);
  }
  const { cache, owned, shared } = await withTier(folder, options, endpoints);
  if (owned.length > 0) await cache.initialize({ signal });
  const bic = await openBic(options, () => openBlobInfoCache(join(dir, ".mote", "blob-info.lmdb"), options));
  const sizeBound = boundOf(cache, maxSize, logger);
  return openClient({
    dir,
    cache,
    near: folder,
    ...bic,
    owned: [...bic.owned, ...owned, folder],
    sizeBound,
    shared,
    endpoints,
  });
}

/** Returns the cache with the tier behind it, and what `close` has to close for that. */
async function withTier(
  near: MoteCache,
  { tags, tier, tierWrite, readOnly, bic }: Pick<OpenMoteOptions, "tags" | "tier" | "tierWrite" | "readOnly" | "bic">,
  opening: EndpointsOptions,
): Promise<{ readonly cache: MoteCache; readonly owned: readonly AsyncDisposable[]; readonly shared: SharedStores }> {
  const followed = new Set<Digest>();
  const redis = typeof bic === "string" ? bic : undefined;
  const withTags = (cache: MoteCache) => (tags === undefined ? cache : overriding(cache, { tags }));
  const untiered = { cache: withTags(near), owned: [], shared: { redis, tier: undefined, followed } };
  // A cache that is only inspected is not filled.
  if (tier === undefined || readOnly) return untiered;
  const { logger, references } = opening;
  const endpoints = new Endpoints(opening);
  const far = typeof tier === "string" ? await openTier(tier, { endpoints, references, logger }) : tier;
  if (far === undefined) return untiered;
  const { TieredCache } = await import("@mote/tiered");
  const canWrite = "createMote" in far && !(near instanceof NilCache);
  const write = tierWrite ?? (canWrite ? "back" : "none");
  const isWrittenElsewhere = (digest: Digest) => followed.has(digest);
  const cache = new TieredCache(near, far, { write, keepOpen: true, isWrittenElsewhere, logger });
  const opened = typeof tier === "string" ? [endpoints.own(far)] : [];
  const shared = { redis, tier: far, followed };
  return { cache: withTags(cache), owned: [cache, ...opened], shared };
}

/**
 * Opens the location of a reference for reading. The caller disposes of it.
 * @throws MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT · MOTE_CONFIG
 */
export async function openSource(reference: string, options: EndpointOptions = {}): Promise<ContentSource> {
  const opening = endpointsOptions(options);
  const endpoints = new Endpoints(opening);
  return endpoints.own(await endpoints.source(opening.references.parseMovable(reference, "source")));
}

/** Opens the location of a reference for writing. The caller disposes of it. @throws as `openSource` */
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
  options: OpenMoteOptions,
  endpoints: EndpointsOptions,
): Promise<OpenMote> {
  endpoints.logger.warn(`continuing without a cache: ${message}`);
  const near = new NilCache();
  const { cache, owned, shared } = await withTier(near, options, endpoints);
  const bic = await openBic(options, memoryBlobInfoCache);
  return openClient({ dir, cache, near, ...bic, owned: [...bic.owned, ...owned], shared, endpoints });
}

/** Opens the blob-info cache, unless it was passed: then it stays open. */
async function openBic(
  { bic, logger = silentLogger }: OpenMoteOptions,
  openOwn: () => Promise<BlobInfoCache>,
): Promise<{ readonly bic: BlobInfoCache; readonly owned: readonly AsyncDisposable[] }> {
  if (bic !== undefined && typeof bic !== "string") return { bic, owned: [] };
  const opened = bic === undefined ? await openOwn() : await openSharedBlobInfoCache(bic, logger);
  return { bic: opened, owned: [opened] };
}

async function memoryBlobInfoCache(): Promise<BlobInfoCache> {
  const { MemoryBlobInfoCache } = await import("@mote/bic-memory");
  return new MemoryBlobInfoCache();
}

async function openBlobInfoCache(path: string, { readOnly, logger }: OpenMoteOptions): Promise<BlobInfoCache> {
  if (readOnly && !existsSync(path)) return memoryBlobInfoCache();
  const { LmdbBlobInfoCache } = await import("@mote/bic-lmdb");
  // Without a logger: it would warn that nothing can be recorded.
  return new LmdbBlobInfoCache(path, readOnly ? {} : { logger });
}
