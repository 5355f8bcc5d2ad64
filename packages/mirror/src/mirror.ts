import {
  BoundedMap,
  type CallOptions,
  type Cancellable,
  type Descriptor,
  type Digest,
  isDigest,
  type Logger,
  type Manifest,
  MemoryFreshness,
  type MoteCache,
  MoteError,
  type MoteInfo,
  type MoteReader,
  manifestChildren,
  mediaTypes,
  type PullThrough,
  readManifest,
  silentLogger,
  type TagPage,
  type TagStore,
  type UpstreamBlob,
  type UpstreamManifest,
  type UpstreamRange,
  type UpstreamRepository,
  untilAborted,
} from "@mote/core";
import { FillReader } from "./fill-reader.js";
import { type Fill, Fills, type RunningFill } from "./fills.js";
import { ImageTags } from "./image-tags.js";
import { TagChecks } from "./tag-checks.js";
import { Upstream, type UpstreamContent, type UpstreamRegistry, type UpstreamStatus } from "./upstream.js";
import { manifestsAsBlobs, UpstreamSource } from "./upstream-source.js";
import { UpstreamTable } from "./upstream-table.js";

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
  /** Called when a blob has been stored. */
  readonly onStored?: (() => void) | undefined;
  /** Called with the number of bytes of manifests and blobs as they arrive from an upstream. */
  readonly onReceived?: ((upstream: string, bytes: number) => void) | undefined;
  readonly logger?: Logger | undefined;
  /** Unix milliseconds. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

const gibibyte = 1024 ** 3;
/** Sizes of blobs that are remembered from manifests. */
const maxSizes = 100_000;

/** Content of upstream registries, fetched into a cache when it is requested: once, however many clients and processes request it. */
export class Mirror implements PullThrough {
  readonly #table: UpstreamTable;
  readonly #upstreams: ReadonlyMap<string, Upstream>;
  readonly #cache: MoteCache;
  readonly #checks: TagChecks;
  readonly #fills: Fills;
  readonly #imageTags: ImageTags;
  readonly #maxBackgroundFill: number;
  readonly #onStored: () => void;
  readonly #onReceived: (upstream: string, bytes: number) => void;
  /** By repository and digest, so that a size that is known tells that the repository has the blob. */
  readonly #sizes = new BoundedMap<string, number>(maxSizes);

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
    this.#fills = new Fills(cache, logger);
    this.#imageTags = new ImageTags(cache, tags, logger);
    this.#maxBackgroundFill = options.maxBackgroundFill ?? gibibyte;
    this.#onStored = options.onStored ?? (() => {});
    this.#onReceived = options.onReceived ?? (() => {});
  }

  /** In the order in which they were given. */
  get upstreams(): UpstreamStatus[] {
    return [...this.#upstreams.values()].map(({ status }) => status);
  }

  get fills(): Fill[] {
    return this.#fills.running();
  }

  /** Suspends all fetches, so that another process or a later one continues them. */
  async close(): Promise<void> {
    await this.#fills.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  repository(name: string, namespace?: string): UpstreamRepository | undefined {
    return this.#table.repository(name, namespace);
  }

  async manifest(
    repository: UpstreamRepository,
    reference: string,
    options: CallOptions = {},
  ): Promise<UpstreamManifest> {
    const source = this.#source(repository);
    if (isDigest(reference)) {
      const descriptor = await source.resolve(reference, options);
      await this.#storeManifest(repository, descriptor, options);
      return { descriptor, isHit: false };
    }
    const name = `${repository.full}:${reference}`;
    const resolved = await this.#checks.resolve(name, {
      ask: () => source.resolve(reference),
      signal: options.signal,
      isStored: ({ digest }) => this.#cache.moteExists(digest, options),
    });
    await this.#storeManifest(repository, resolved.descriptor, options);
    void this.#imageTags.resolved(repository.full, name, resolved.descriptor);
    return resolved;
  }

  async findBlob(repository: UpstreamRepository, digest: Digest, options: CallOptions = {}): Promise<MoteInfo> {
    const found = await this.#upstream(repository).request(
      repository.path,
      ({ blobs }) => blobs.find(digest, options),
      options,
    );
    if (found !== undefined) return found;
    throw new MoteError("MOTE_NOT_FOUND", `${repository.full} does not have ${digest}`, { details: { digest } });
  }

  async blob(repository: UpstreamRepository, digest: Digest, options: CallOptions = {}): Promise<UpstreamBlob> {
    const size =
      this.#sizes.get(sizeKey(repository, digest)) ?? (await this.findBlob(repository, digest, options)).size;
    const info: MoteInfo = { digest, size, mediaType: mediaTypes.octetStream };
    return { info, read: (range = {}) => this.#read(repository, info, range) };
  }

  tags(
    repository: UpstreamRepository,
    options: Cancellable & { readonly after?: string | undefined; readonly limit?: number | undefined } = {},
  ): Promise<TagPage> {
    return this.#upstream(repository).request(repository.path, (content) => content.tags(options), options);
  }

  async *referrers(
    repository: UpstreamRepository,
    digest: Digest,
    options: CallOptions = {},
  ): AsyncGenerator<Descriptor> {
    // The upstream is asked by the digest alone.
    const subject = { digest, mediaType: mediaTypes.ociManifest, size: 0 };
    yield* await this.#source(repository).referrers(subject, options);
  }

  async #read(repository: UpstreamRepository, info: MoteInfo, range: UpstreamRange): Promise<MoteReader> {
    const { start = 0, end = info.size, signal } = range;
    const { digest, size } = info;
    if (await this.#cache.moteExists(digest, { signal })) {
      return this.#cache.moteReader(digest, { start, end, signal });
    }
    const isPart = start > 0 || end < size;
    if (isPart && !this.#isWithinReach(digest, end)) {
      if (size <= this.#maxBackgroundFill) this.#fill(repository, info).enter()();
      const { path } = repository;
      const read = ({ blobs }: UpstreamContent) => blobs.moteReader(digest, { start, end, signal });
      return this.#upstream(repository).request(path, read, range);
    }
    const fill = this.#fill(repository, info);
    return new FillReader(info, this.#cache, {
      ...{ start, end, signal, done: fill.done, onClose: fill.enter() },
      openDirect: () => this.#source(repository).blob(info, { signal }),
    });
  }

  /** Whether a fill of this process has all bytes before `end`. */
  #isWithinReach(digest: Digest, end: number): boolean {
    return this.#fills.running().some((fill) => fill.digest === digest && fill.bytes >= end);
  }

  #fill(repository: UpstreamRepository, info: MoteInfo): RunningFill {
    const { upstream, full } = repository;
    return this.#fills.fill(info, {
      repository: full,
      source: this.#source(repository),
      onReceived: (bytes) => this.#onReceived(upstream, bytes),
      onStored: () => {
        void this.#imageTags.stored(full);
        this.#onStored();
      },
    });
  }

  /** Fetches a manifest unless it is stored, and records whose it is. */
  async #storeManifest(repository: UpstreamRepository, descriptor: Descriptor, options: Cancellable): Promise<void> {
    const { digest } = descriptor;
    if (!(await this.#cache.moteExists(digest, options))) {
      const fill = this.#fills.fill(descriptor, {
        repository: repository.full,
        source: manifestsAsBlobs(this.#source(repository)),
        onReceived: (bytes) => this.#onReceived(repository.upstream, bytes),
        onStored: () => {},
      });
      await untilAborted(fill.done, options.signal);
    }
    const { membership } = this.#cache;
    if (membership !== undefined && !(await membership.has(repository.full, digest, options))) {
      await membership.record(repository.full, digest, options);
    }
    // The manifest's own size shows that those of its blobs are known.
    const key = sizeKey(repository, digest);
    if (this.#sizes.has(key)) return;
    this.#rememberSizes(repository, await readManifest(this.#cache, descriptor, options));
    this.#sizes.set(key, descriptor.size);
  }

  #rememberSizes(repository: UpstreamRepository, manifest: Manifest): void {
    for (const { digest, size } of manifestChildren(manifest).blobs) {
      this.#sizes.set(sizeKey(repository, digest), size);
    }
  }

  #upstream({ upstream }: UpstreamRepository): Upstream {
    const found = this.#upstreams.get(upstream);
    if (found === undefined) throw new TypeError(`${upstream} is not an upstream of this mirror`);
    return found;
  }

  #source(repository: UpstreamRepository): UpstreamSource {
    return new UpstreamSource(this.#upstream(repository), repository.path);
  }
}

function sizeKey({ full }: UpstreamRepository, digest: Digest): string {
  return `${full}@${digest}`;
}
