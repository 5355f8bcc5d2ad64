import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  type BlobInfoCache,
  type Cancellable,
  type ContentDestination,
  type ContentSource,
  type Descriptor,
  type Digest,
  type KnownLocations,
  knownLocations,
  LayerBlobInfo,
  LayerLocator,
  type Logger,
  type MoteCache,
  MoteError,
  type MoteInfo,
  NilCache,
  type Ref,
  silentLogger,
  type TagStore,
} from "@mote/core";
import type { Durability } from "@mote/fs";
import type { FileInput, UnpackOptions } from "@mote/layout";
import { refCodec } from "@mote/ref";
import type { RegistryServer, ServeOptions } from "@mote/server";
import type { TransferEvent, TransferOptions, TransferReport } from "@mote/transfer";
import { Endpoints } from "./endpoints/endpoints.js";
import type { EndpointsOptions, RegistriesOptions } from "./endpoints/registries-options.js";
import { type FoundMote, findByName, nameInCache } from "./references/find-by-name.js";
import { noCacheFolder, parsePersonalRef, personalFolder } from "./references/home-paths.js";
import {
  absoluteRefCodec,
  assertPullDestination,
  defaultName,
  nameOfOrigin,
  type Origin,
  onlyOf,
  otherTag,
  readMovable,
  readOrigin,
} from "./references/references.js";
import { type ReadingOptions, readFromOrigin } from "./sources/read-from-origin.js";
import { type MoveReport, withReferences } from "./transfers/move-report.js";
import { Repair, type RepairOptions } from "./transfers/repair.js";
import { SizeBound } from "./transfers/size-bound.js";

export interface OpenMoteOptions extends Cancellable {
  /** The cache folder, made where it is missing. Undefined: nothing says where it is, as for a user without a home folder. */
  readonly dir: string | undefined;
  /** Speak HTTP, not TLS, to all registries, or to these (`host`, `host:port`). On loopback addresses that is done anyway. */
  readonly plainHttp?: boolean | readonly string[] | undefined;
  /** How registries are reached: certificates, mirrors, bounds. @throws MOTE_CONFIG once a registry is wanted */
  readonly registries?: RegistriesOptions | undefined;
  /**
   * Ask no registry: names are what the cache has under them, and what it lacks is an error. A registry cannot be a destination then.
   * Default false.
   */
  readonly offline?: boolean | undefined;
  /**
   * Go on without a cache where `dir` cannot be written or is undefined. Then only what has a destination of its own can be moved.
   * Default false: MOTE_UNWRITABLE, or MOTE_CONFIG.
   */
  readonly cacheOptional?: boolean | undefined;
  /** Only to look: what is missing is not made, what was left behind is not swept. A cache that is not there is empty. Default false. */
  readonly lookOnly?: boolean | undefined;
  /**
   * What is synced to the disk before a blob gets its name. Default `grouped`: its data. `visible`: nothing, which is faster, and after a
   * power cut blobs may be damaged (they are noticed when they are read). `synced`: its name, too.
   */
  readonly durability?: Durability | undefined;
  /**
   * The cache's largest size in bytes. After what fetched something, the least recently used is removed in the background, never what
   * was just moved; `close` waits for it. Its failure is a warning. Default: no bound.
   */
  readonly maxSize?: number | undefined;
  /** How much may come of the archives of an artifact or of a compressed archive. */
  readonly unpack?: UnpackOptions | undefined;
  /** Silent by default. */
  readonly logger?: Logger | undefined;
}

export interface PullOptions extends Cancellable {
  /**
   * Only this platform, as containerd writes it: `os[(version)]/architecture[/variant]`. The cache still knows the name as the index,
   * of which it has this platform. Default: all of them.
   */
  readonly platform?: string | undefined;
  /** What refers to the image too: signatures, attestations. Default false. */
  readonly referrers?: boolean | undefined;
  /** Blobs moved at once. Default 6, and 10 more of up to 256 KiB. */
  readonly concurrency?: number | undefined;
  readonly onEvent?: ((event: TransferEvent) => void) | undefined;
  /**
   * Into a plain folder: replace files that are there with other content. Into an archive: replace an image of the same name that
   * has other content, and a file that is not such an archive. Default: MOTE_EXISTS.
   */
  readonly overwrite?: boolean | undefined;
  /** Into a plain folder: read-only hard links to the cache's files, where it cannot share extents. Default: files of one's own. */
  readonly link?: boolean | undefined;
}

export interface PushFilesOptions extends Pick<PullOptions, "signal" | "concurrency" | "onEvent" | "overwrite"> {
  /** Default: `application/vnd.unknown.artifact.v1`. */
  readonly artifactType?: string | undefined;
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** The usual parts, put together. Every part can be taken out and used by itself. */
export interface OpenMote extends AsyncDisposable {
  /** The cache folder. Empty where there is none. */
  readonly dir: string;
  readonly cache: MoteCache;
  /** Names for manifests in the cache: references as they were pulled, without `docker://`. */
  readonly tags: TagStore;
  readonly bic: BlobInfoCache;
  readonly locator: LayerLocator;
  /**
   * Moves an image from `source` through the cache to `destination`, or into the cache alone. References as in `@mote/ref`. A digest
   * as `source` means that content, from the cache or wherever it is known to be; of what the cache has, 6 digits will do.
   * An archive that is there gets the image besides those that it has. `-` as the path of an archive is stdout.
   * The cache keeps it under the source's name, and answers for a registry that fails: with no connection, a server error, a rate limit, or
   * something that is not what was asked for. A warning says so. 401, 403 and 404 are errors.
   * A destination without transport that ends in `/`, or begins as paths do (`./`, `../`, `/`, `~/`), is a plain folder: the
   * artifact's files are brought there. A registry is written with `docker://`: `build/app` alone is refused.
   * @throws MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT · MOTE_NOT_FOUND · MOTE_UNAUTHORIZED · MOTE_UNREACHABLE ·
   *   MOTE_INVALID_MANIFEST · MOTE_DIGEST_MISMATCH · MOTE_SIZE_MISMATCH · MOTE_UNWRITABLE · MOTE_NO_SPACE …
   *   into a plain folder also MOTE_NOT_FILES · MOTE_EXISTS · MOTE_INVALID_NAME · MOTE_INVALID_ARCHIVE
   */
  pull(source: string, destination?: string, options?: PullOptions): Promise<MoveReport>;
  /** As `pull` with a destination, which may also be a registry without `docker://`. */
  copy(source: string, destination: string, options?: PullOptions): Promise<MoveReport>;
  /**
   * Moves plain files and folders as one artifact through the cache to `destination`. The same files give the same digests.
   * The cache keeps it under the destination's name. Folders are packed in the system's temporary folder.
   * @throws MOTE_NOT_FOUND · MOTE_INVALID_NAME, and as `pull`
   */
  pushFiles(files: readonly FileInput[], destination: string, options?: PushFilesOptions): Promise<MoveReport>;
  /** Copies a file into the cache. @throws MOTE_NOT_FOUND where there is no such file */
  addFile(path: string, options?: Cancellable): Promise<MoteInfo>;
  /** Takes a stream of any length into the cache, by way of the system's temporary folder. */
  addStream(chunks: AsyncIterable<Uint8Array>, options?: Cancellable): Promise<MoteInfo>;
  /**
   * The mote that a person means: by a digest, the first digits (at least 6) of one that is kept, a name, a reference over any
   * transport, or the end of a name. A whole digest need not be kept. @throws MOTE_NOT_FOUND · MOTE_AMBIGUOUS · MOTE_INVALID_DIGEST
   */
  find(text: string): Promise<FoundMote>;
  /** References where the blob has been seen, newest first: without `docker://`, while other transports keep theirs. */
  locate(digest: Digest, options?: Cancellable): Promise<string[]>;
  /**
   * All that is known of a blob: places of any kind with the time they were last seen, and its other forms. With `destination`, a
   * reference, whether a mount would work there. @throws MOTE_INVALID_REFERENCE
   */
  places(
    digest: Digest,
    options?: Cancellable & { readonly destination?: string | undefined },
  ): Promise<KnownLocations>;
  /**
   * Fetches what is missing of every image in the cache from where its name says, over any transport, and what of `damaged` and
   * `unreadable` is not right from where it was seen. Platforms that were never fetched are not missing. Answers the names of images that
   * are still incomplete.
   */
  repair(options?: RepairOptions): Promise<string[]>;
  /** The cache as an OCI registry, read-only. */
  serve(options?: Omit<ServeOptions, "source" | "tags">): Promise<RegistryServer>;
  close(): Promise<void>;
}

/**
 * Opens the cache in a folder, with everything that is usually wanted around it.
 * @throws MOTE_UNWRITABLE · MOTE_CONFIG · MOTE_UNSUPPORTED_FORMAT · MOTE_IO
 */
export async function openMote(options: OpenMoteOptions): Promise<OpenMote> {
  const { dir, logger = silentLogger, plainHttp, registries, unpack, durability, maxSize, offline, signal } = options;
  const places = { logger, plainHttp, registries, unpack, offline };
  if (maxSize !== undefined && !(maxSize >= 0)) throw new TypeError("maxSize is a number of bytes from 0");
  if (dir === undefined) {
    if (!options.cacheOptional) throw noCacheFolder();
    return withoutCache("", noCacheFolder(), places);
  }
  const { FileCache, checkFolderLocation } = await import("@mote/fs");
  // Not a cache that cannot be written, but a path that cannot be meant.
  checkFolderLocation(resolve(dir));
  const cache = new FileCache(dir, { logger, durability });
  try {
    await cache.initialize({ signal, createMissing: !options.lookOnly });
  } catch (error) {
    const missing = MoteError.isInstance(error) && (error.code === "MOTE_UNWRITABLE" || error.code === "MOTE_NO_SPACE");
    if (!options.cacheOptional || !missing) throw error;
    return withoutCache(dir, error, places);
  }
  const bic = await openBlobInfoCache(join(dir, ".mote", "blob-info.lmdb"), options);
  const sizeBound = maxSize === undefined ? undefined : new SizeBound(cache, { maxSize, logger });
  return new Wired({ dir, cache, tags: cache.tags, bic, sizeBound, ...places });
}

async function withoutCache(dir: string, { message }: MoteError, places: EndpointsOptions): Promise<OpenMote> {
  places.logger.warn(`continuing without a cache: ${message}`);
  const { MemoryBlobInfoCache } = await import("@mote/bic-memory");
  return new Wired({ dir, cache: new NilCache(), bic: new MemoryBlobInfoCache(), ...places });
}

async function openBlobInfoCache(path: string, { lookOnly, logger }: OpenMoteOptions): Promise<BlobInfoCache> {
  if (lookOnly && !existsSync(path)) {
    const { MemoryBlobInfoCache } = await import("@mote/bic-memory");
    return new MemoryBlobInfoCache();
  }
  const { LmdbBlobInfoCache } = await import("@mote/bic-lmdb");
  // Who only looks need not hear that nothing can be recorded.
  return new LmdbBlobInfoCache(path, lookOnly ? {} : { logger });
}

interface Parts extends EndpointsOptions {
  readonly dir: string;
  readonly cache: MoteCache;
  readonly tags?: TagStore;
  readonly bic: BlobInfoCache;
  readonly sizeBound?: SizeBound | undefined;
}

class Wired implements OpenMote {
  readonly dir: string;
  readonly cache: MoteCache;
  readonly tags: TagStore;
  readonly bic: BlobInfoCache;
  readonly locator: LayerLocator;
  readonly #logger: Logger;
  readonly #places: Endpoints;
  readonly #sizeBound: SizeBound | undefined;

  constructor({ dir, cache, tags, bic, sizeBound, ...places }: Parts) {
    this.dir = dir;
    this.cache = cache;
    this.tags = tags ?? noTags;
    this.bic = bic;
    this.locator = new LayerLocator(bic, absoluteRefCodec);
    this.#logger = places.logger;
    this.#places = new Endpoints(places);
    this.#sizeBound = sizeBound;
  }

  async pull(source: string, destination?: string, options: PullOptions = {}): Promise<MoveReport> {
    if (destination !== undefined) {
      assertPullDestination(destination);
      return this.copy(source, destination, options);
    }
    const from = await readOrigin(this.cache, source);
    // A digest for a name means none.
    const tags = [nameOfOrigin(from) ?? String(from)];
    const report = await this.#move(from, undefined, { ...options, tags });
    await this.#nameReferrers(from, report);
    return report;
  }

  async copy(source: string, destination: string, options: PullOptions = {}): Promise<MoveReport> {
    const folder = personalFolder(destination);
    const to = folder === undefined ? readMovable(destination) : undefined;
    const from = await readOrigin(this.cache, source);
    if (folder !== undefined) return this.#pullFiles(from, folder, options);
    const target = to?.tag ?? (to && defaultName(to, from));
    const report = await this.#move(from, to, { ...options, ...(target === undefined ? {} : { tags: [target] }) });
    await this.#remember(nameOfOrigin(from), report);
    await this.#nameReferrers(from, report);
    return report;
  }

  async pushFiles(
    files: readonly FileInput[],
    destination: string,
    { artifactType, annotations, ...options }: PushFilesOptions = {},
  ): Promise<MoveReport> {
    const to = readMovable(destination);
    const { FilesSource } = await import("@mote/layout");
    const source = new FilesSource(files, { artifactType, annotations });
    const tags = to.tag === undefined ? [] : [to.tag];
    const moving = { ...options, refs: [""], tags, verify: onlyOf(to.digest) };
    const report = await this.#transfer(source, await this.#places.destination(to, options), moving);
    if (!isStream(to)) await this.#remember(nameInCache(to), report);
    return withReferences(report, undefined, isStream(to) ? undefined : to);
  }

  async addFile(path: string, options: Cancellable = {}): Promise<MoteInfo> {
    const { addFile } = await import("./files/add-file.js");
    return addFile(this.cache, path, options);
  }

  async addStream(chunks: AsyncIterable<Uint8Array>, options: Cancellable = {}): Promise<MoteInfo> {
    const { addStream } = await import("./files/add-file.js");
    return addStream(this.cache, chunks, options);
  }

  async locate(digest: Digest, options: Cancellable = {}): Promise<string[]> {
    const sources = await new LayerBlobInfo([digest], this.locator).getSources(options);
    return sources.get(digest) ?? [];
  }

  find(text: string): Promise<FoundMote> {
    return findByName(this.cache, text);
  }

  async places(
    digest: Digest,
    { destination, signal }: Cancellable & { readonly destination?: string | undefined } = {},
  ): Promise<KnownLocations> {
    const ref = destination === undefined ? undefined : parsePersonalRef(destination);
    return knownLocations(this.bic, refCodec, digest, { destination: ref, signal });
  }

  repair(options: RepairOptions = {}): Promise<string[]> {
    const { cache, bic } = this;
    const complete = (ref: Ref, digest: Digest, moving: RepairOptions) => this.#complete(ref, digest, moving);
    return new Repair({ cache, bic, places: this.#places, complete }, options).run();
  }

  /** Its own digest as name: what is tagged here stays what it is, wherever the tag at the source has gone. */
  async #complete(ref: Ref, digest: Digest, { signal, concurrency, onEvent }: RepairOptions): Promise<TransferReport> {
    const source = await this.#places.source(ref);
    // An archive of docker knows its blobs when it has read its images.
    if (ref.transport === "docker-archive") await source.resolve(ref, { signal });
    const moving = { signal, concurrency, onEvent, refs: [{ ...ref, digest }], tags: [digest], verify: undefined };
    return this.#transfer(source, undefined, moving);
  }

  async serve(options: Omit<ServeOptions, "source" | "tags"> = {}): Promise<RegistryServer> {
    const { serve } = await import("@mote/server");
    return serve({ source: this.cache, tags: this.tags, logger: this.#logger, ...options });
  }

  async close(): Promise<void> {
    await this.#places.close();
    await this.#sizeBound?.settled();
    await this.bic.close();
    await this.cache[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #move(from: Origin, to: Ref | undefined, options: MoveOptions): Promise<MoveReport> {
    const { report, warnings } = await readFromOrigin(from, this.#reading(options), async (source) =>
      this.#transfer(source, to && (await this.#places.destination(to, options)), {
        ...options,
        refs: [from],
        verify: onlyOf(to?.digest),
      }),
    );
    return withReferences(
      { ...report, warnings: [...warnings, ...report.warnings] },
      from,
      to && isStream(to) ? undefined : to,
    );
  }

  async #pullFiles(from: Origin, folder: string, options: PullOptions): Promise<MoveReport> {
    const { report, warnings } = await readFromOrigin(from, this.#reading(options), async (source, warn) => {
      const destination = await this.#places.folder(folder, options);
      return this.#transfer(source, destination, {
        ...options,
        // They would have no files' names.
        referrers: false,
        refs: [from],
        verify: async (_descriptor, manifest, { signal }) => {
          for (const note of await destination.expect(manifest, { signal })) warn(note);
        },
      });
    });
    await this.#remember(nameOfOrigin(from), report);
    return withReferences({ ...report, warnings: [...warnings, ...report.warnings] }, from, undefined);
  }

  #reading({ platform, onEvent, signal }: PullOptions): ReadingOptions {
    const { cache, tags, bic } = this;
    return { cache, tags, bic, places: this.#places, logger: this.#logger, platform, onEvent, signal };
  }

  async #transfer(
    source: ContentSource,
    destination: ContentDestination | undefined,
    options: MoveOptions & Pick<TransferOptions, "refs" | "verify">,
  ): Promise<TransferReport> {
    const { transfer } = await import("@mote/transfer");
    const { cache, bic } = this;
    const openSource = (ref: Ref) => this.#places.source(ref);
    const lease = await this.#sizeBound?.lease(options);
    const heard = [source.ref, ...this.#places.mirrorsOf(source.ref), destination?.ref];
    const events = options.onEvent && this.#places.events.listenFor(heard, options.onEvent);
    let fetchedNothing = false;
    try {
      const report = await transfer({
        ...options,
        onEvent: events?.onEvent,
        source,
        destination,
        cache,
        bic,
        refCodec,
        openSource,
        lease,
        logger: this.#logger,
      });
      fetchedNothing = report.fetched.count === 0 && report.manifests.fetched === 0;
      return report;
    } finally {
      events?.stop();
      if (fetchedNothing) await lease?.release();
      else this.#sizeBound?.restore(lease);
      await source[Symbol.asyncDispose]?.();
      await destination?.[Symbol.asyncDispose]?.();
    }
  }

  /** A name for the image in the cache too: it is then found without the registry, and pruned as a whole. */
  async #remember(name: string | undefined, report: TransferReport): Promise<void> {
    const root = report.refs[0]?.resolved;
    if (name !== undefined && root !== undefined) await this.#name(name, root);
  }

  /** What belongs to an image by its tag does so in the cache, too. */
  async #nameReferrers(from: Origin, { referrers }: TransferReport): Promise<void> {
    if (typeof from === "string") return;
    for (const { tag, descriptor } of referrers) {
      if (tag !== undefined) await this.#name(nameInCache(otherTag(from, tag)), descriptor);
    }
  }

  async #name(name: string, descriptor: Descriptor): Promise<void> {
    if (!(await this.cache.moteExists(descriptor.digest))) return;
    try {
      await this.tags.tag(name, descriptor);
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      this.#logger.warn(`the cache could not name ${name}: ${error.message}`);
    }
  }
}

type MoveOptions = PullOptions & { readonly tags?: readonly string[] };

/** Stdout is no name that content is found under again. */
function isStream(to: Ref): boolean {
  return to.transport !== "docker" && to.path === "-";
}

/** What a cache that keeps nothing knows by name. */
const noTags: TagStore = {
  async resolve() {
    return undefined;
  },
  async tag() {},
  async untag() {},
  async *list() {},
};
