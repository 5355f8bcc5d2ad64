import {
  type CallOptions,
  type Cancellable,
  type Descriptor,
  type Digest,
  type FillStatus,
  type FleetStatus,
  hasCode,
  isDigest,
  isNotFound,
  type ListOptions,
  type Logger,
  MemoryFreshness,
  type MoteCache,
  MoteError,
  type MoteInfo,
  type MoteReader,
  mediaTypes,
  type ParallelFetches,
  type PullThrough,
  parallelFetches,
  type RepositoryPage,
  silentLogger,
  type TagPage,
  type TagStore,
  type UpstreamBlob,
  type UpstreamManifest,
  type UpstreamOptions,
  type UpstreamRange,
  type UpstreamRepository,
  type UpstreamStatus,
  untilAborted,
  type WarmReport,
} from "@mote/core";
import { CacheHealth } from "./cache-health.js";
import { FillReader } from "./fill-reader.js";
import { Fills, type RunningFill } from "./fills.js";
import { Fleet, type FleetOptions } from "./fleet/fleet.js";
import { ImageTags } from "./image-tags.js";
import { ManifestStore } from "./manifest-store.js";
import { TagChecks } from "./tag-checks.js";
import { type RequestKind, Upstream, type UpstreamContent, type UpstreamRegistry } from "./upstream.js";
import { UpstreamSource } from "./upstream-source.js";
import { UpstreamTable } from "./upstream-table.js";
import { warmImage } from "./warm-image.js";

export interface MirrorOptions {
  readonly upstreams: readonly UpstreamRegistry[];
  /** The upstream of requests that name none, or `none`. Default: the only one. */
  readonly defaultUpstream?: string | undefined;
  /** Content is fetched into it. Its `membership` records which manifest belongs to which repository. */
  readonly cache: MoteCache;
  readonly tags: TagStore;
  /** Milliseconds for which a tag is believed after it was checked. Default 60,000. */
  readonly freshMs?: number | undefined;
  /** Never ask an upstream. Default false. */
  readonly offline?: boolean | undefined;
  /** The whole blob is not fetched for a request of a part of it if it is larger than this, in bytes. Default 1 GiB. */
  readonly maxBackgroundFill?: number | undefined;
  /** Other mirrors, with which this one fetches each blob once in total. Default: none. */
  readonly fleet?: FleetOptions | undefined;
  /** Decides over how many connections a blob is read from an upstream. Default: as `parallelFetches`. */
  readonly parallelFetches?: ParallelFetches | undefined;
  /** Called with the size of a blob that has been stored. */
  readonly onStored?: ((bytes: number) => void) | undefined;
  /** Called when content cannot be stored because the disk is full. */
  readonly onFull?: (() => void) | undefined;
  readonly logger?: Logger | undefined;
  /** Unix milliseconds. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

const gibibyte = 1024 ** 3;

/** Content of upstream registries, fetched into a cache when it is requested: once, however many clients and processes request it. */
export class Mirror implements PullThrough {
  readonly #table: UpstreamTable;
  readonly #upstreams: ReadonlyMap<string, Upstream>;
  readonly #cache: MoteCache;
  readonly #checks: TagChecks;
  readonly #fills: Fills;
  readonly #fleet: Fleet | undefined;
  readonly #imageTags: ImageTags;
  readonly #maxBackgroundFill: number;
  readonly #onStored: (bytes: number) => void;
  readonly #manifests: ManifestStore;

  /** @throws TypeError for an upstream that is given twice, or a default that is not given */
  constructor(options: MirrorOptions) {
    const { upstreams, cache, tags, freshMs = 60_000, offline = false, logger = silentLogger } = options;
    this.#table = new UpstreamTable(upstreams, options.defaultUpstream);
    this.#upstreams = new Map(
      upstreams.map((registry) => [
        registry.name,
        new Upstream(registry, { isOffline: offline, now: () => performance.now() }),
      ]),
    );
    this.#cache = cache;
    const freshness = cache.freshness ?? new MemoryFreshness();
    this.#checks = new TagChecks({ freshness, freshMs, offline, logger, now: options.now ?? Date.now });
    const health = new CacheHealth(logger, options.onFull ?? (() => {}));
    this.#fleet = options.fleet && new Fleet(options.fleet, logger);
    this.#fills = new Fills(cache, {
      ...{ logger, health, fleet: this.#fleet },
      parallelFetches: options.parallelFetches ?? parallelFetches({ logger }),
    });
    this.#manifests = new ManifestStore(cache, this.#fills, health);
    this.#imageTags = new ImageTags(cache, tags, logger);
    this.#maxBackgroundFill = options.maxBackgroundFill ?? gibibyte;
    this.#onStored = options.onStored ?? (() => {});
  }

  /** In the order in which they were given. */
  get upstreams(): UpstreamStatus[] {
    return [...this.#upstreams.values()].map(({ status }) => status);
  }

  get fills(): FillStatus[] {
    return this.#fills.running();
  }

  get fleet(): FleetStatus | undefined {
    return this.#fleet?.status;
  }

  /** Suspends all fetches, so that another process or a later one continues them, and sets the tags of the images that are complete. */
  async close(): Promise<void> {
    await this.#fills.close();
    await this.#imageTags.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  repository(name: string, namespace?: string): UpstreamRepository | undefined {
    return this.#table.repository(name, namespace);
  }

  isAvailable(repository: UpstreamRepository): boolean {
    return this.#upstream(repository).isAvailable;
  }

  storedManifest(repository: UpstreamRepository, digest: Digest, options: Cancellable = {}) {
    return this.#manifests.find(repository, digest, options);
  }

  async manifest(
    repository: UpstreamRepository,
    reference: string,
    options: CallOptions = {},
  ): Promise<UpstreamManifest> {
    const source = this.#source(repository);
    if (isDigest(reference)) {
      const descriptor = await source.resolve(reference, options);
      return { descriptor, bytes: await this.#manifestBytes(repository, descriptor, options), isHit: false };
    }
    const name = `${repository.full}:${reference}`;
    const resolved = await this.#checks.resolve(name, {
      ask: () => source.resolve(reference),
      signal: options.signal,
      isStored: ({ digest }) => this.#cache.moteExists(digest, options),
    });
    try {
      const bytes = await this.#manifestBytes(repository, resolved.descriptor, options);
      this.#imageTags.resolved(repository.full, name, resolved.descriptor);
      return { ...resolved, bytes };
    } catch (error) {
      // Since an earlier request asked, the tag may have moved and the older manifest may have been deleted.
      if (resolved.isHit && isNotFound(error)) return this.refresh(repository, reference, options);
      throw error;
    }
  }

  async refresh(repository: UpstreamRepository, tag: string, options: Cancellable = {}): Promise<UpstreamManifest> {
    const name = `${repository.full}:${tag}`;
    const ask = () => this.#source(repository).resolve(tag);
    const descriptor = await this.#checks.refresh(name, { ask, signal: options.signal });
    const bytes = await this.#manifestBytes(repository, descriptor, options);
    this.#imageTags.resolved(repository.full, name, descriptor);
    return { descriptor, bytes, isHit: false };
  }

  async warm(
    repository: UpstreamRepository,
    reference: string,
    { platforms = [], signal }: Cancellable & { readonly platforms?: readonly string[] | undefined } = {},
  ): Promise<WarmReport> {
    const root = isDigest(reference)
      ? await this.manifest(repository, reference, { signal })
      : await this.refresh(repository, reference, { signal });
    const source = {
      manifest: (digest: Digest, options: Cancellable) => this.manifest(repository, digest, options),
      blob: (blob: Descriptor, options: Cancellable) => this.#warmBlob(repository, blob, options),
    };
    return warmImage(source, root, { platforms, signal });
  }

  /** Returns whether the blob was missing. */
  async #warmBlob(repository: UpstreamRepository, blob: Descriptor, { signal }: Cancellable): Promise<boolean> {
    const { digest, size } = blob;
    if (await this.#cache.moteExists(digest, { signal })) return false;
    const fill = this.#fill(repository, { digest, size, mediaType: mediaTypes.octetStream });
    const leave = fill.enter();
    try {
      await untilAborted(fill.done, signal);
    } finally {
      leave();
    }
    if (await this.#cache.moteExists(digest, { signal })) return true;
    throw new MoteError("MOTE_UNWRITABLE", `the cache cannot store ${digest}`, { details: { digest } });
  }

  async findBlob(repository: UpstreamRepository, digest: Digest, options: CallOptions = {}): Promise<MoteInfo> {
    const found = await this.#request("blobs", repository, options, ({ blobs }, limited) =>
      blobs.find(digest, limited),
    );
    if (found !== undefined) return found;
    throw new MoteError("MOTE_NOT_FOUND", `${repository.full} does not have ${digest}`, { details: { digest } });
  }

  async blob(repository: UpstreamRepository, digest: Digest, options: UpstreamOptions = {}): Promise<UpstreamBlob> {
    let size = this.#manifests.sizeOf(repository, digest);
    if (size === undefined) {
      options.onMiss?.();
      size = (await this.findBlob(repository, digest, options)).size;
    }
    const info: MoteInfo = { digest, size, mediaType: mediaTypes.octetStream };
    return { info, read: (range = {}) => this.#read(repository, info, range) };
  }

  tags(repository: UpstreamRepository, options: ListOptions = {}): Promise<TagPage> {
    return this.#request("lists", repository, options, (content, limited) => content.tags({ ...options, ...limited }));
  }

  repositories(upstream: string, options: ListOptions = {}): Promise<RepositoryPage> {
    return this.#upstream({ upstream }).repositories(options);
  }

  referrers(repository: UpstreamRepository, digest: Digest, options: CallOptions = {}): Promise<readonly Descriptor[]> {
    // The upstream is asked by the digest alone.
    const subject = { digest, mediaType: mediaTypes.ociManifest, size: 0 };
    return this.#source(repository).referrers(subject, options);
  }

  async #read(repository: UpstreamRepository, info: MoteInfo, range: UpstreamRange): Promise<MoteReader> {
    const { start = 0, end = info.size, reuse, signal, onMiss } = range;
    const { digest, size } = info;
    const stored = await this.#stored(digest, { start, end, reuse, signal });
    if (stored !== undefined) {
      // Without the client's signal, which would leave the reader open.
      await this.#manifests.recordBlob(repository, digest);
      return stored;
    }
    const isPart = start > 0 || end < size;
    if (isPart && !this.#isWithinReach(digest, end)) {
      if (size <= this.#maxBackgroundFill) this.#fill(repository, info);
      onMiss?.();
      return this.#request("blobs", repository, range, ({ blobs }, limited) =>
        blobs.moteReader(digest, { start, end, reuse, ...limited }),
      );
    }
    return new FillReader(info, this.#cache, {
      ...{ start, end, reuse, signal, fill: this.#fill(repository, info, onMiss) },
      openDirect: (from) => this.#source(repository).blob(info, { start: from, verifyOnRead: false, reuse, signal }),
    });
  }

  /** Opens a stored blob. Returns undefined if it is missing, or has been removed or quarantined since it was looked for. */
  async #stored(digest: Digest, range: UpstreamRange): Promise<MoteReader | undefined> {
    if (!(await this.#cache.moteExists(digest, { signal: range.signal }))) return undefined;
    try {
      return await this.#cache.moteReader(digest, range);
    } catch (error) {
      if (hasCode(error, "MOTE_NOT_FOUND", "MOTE_CORRUPT")) return undefined;
      throw error;
    }
  }

  /** Whether a fill of this process has all bytes before `end`. */
  #isWithinReach(digest: Digest, end: number): boolean {
    return this.#fills.running().some((fill) => fill.digest === digest && fill.inOrder >= end);
  }

  #fill(repository: UpstreamRepository, info: MoteInfo, onStart?: () => void): RunningFill {
    const { full } = repository;
    return this.#fills.fill(info, {
      repository: full,
      source: this.#source(repository),
      passesThrough: true,
      onStart,
      onStored: () => {
        this.#imageTags.stored(full);
        this.#onStored(info.size);
        return this.#manifests.recordBlob(repository, info.digest);
      },
    });
  }

  #manifestBytes(repository: UpstreamRepository, descriptor: Descriptor, { signal }: Cancellable): Promise<Uint8Array> {
    return this.#manifests.bytes(repository, this.#source(repository), { descriptor, signal });
  }

  #request<Result>(
    kind: RequestKind,
    repository: UpstreamRepository,
    { signal }: Cancellable,
    send: (content: UpstreamContent, options: Cancellable) => Promise<Result>,
  ): Promise<Result> {
    return this.#upstream(repository).request({ path: repository.path, kind, signal }, send);
  }

  #upstream({ upstream }: Pick<UpstreamRepository, "upstream">): Upstream {
    const found = this.#upstreams.get(upstream);
    if (found === undefined) throw new TypeError(`${upstream} is not an upstream of this mirror`);
    return found;
  }

  #source(repository: UpstreamRepository): UpstreamSource {
    return new UpstreamSource(this.#upstream(repository), repository.path);
  }
}
