import {
  BoundedMap,
  CacheError,
  type Cancellable,
  type Descriptor,
  type Digest,
  hasCode,
  inlinedBytes,
  type MoteCache,
  MoteError,
  manifestChildren,
  maxManifestBytes,
  parseManifest,
  type RecordOptions,
  readMote,
  type UpstreamRepository,
  untilAborted,
  writeMote,
} from "@mote/core";
import type { CacheHealth } from "./cache-health.js";
import type { Fills } from "./fills.js";
import { RecentManifests } from "./recent-manifests.js";
import { manifestsAsBlobs, type UpstreamSource } from "./upstream-source.js";

/** Sizes of blobs that are remembered from manifests. */
const maxSizes = 100_000;

/** Manifests of upstreams in the cache, and the sizes of the blobs that they refer to. */
export class ManifestStore {
  readonly #cache: MoteCache;
  readonly #fills: Fills;
  readonly #health: CacheHealth;
  readonly #recent = new RecentManifests();
  /** By repository and digest. */
  readonly #sizes = new BoundedMap<string, number>(maxSizes);

  constructor(cache: MoteCache, fills: Fills, health: CacheHealth) {
    this.#cache = cache;
    this.#fills = fills;
    this.#health = health;
  }

  /** Returns the size of a blob, which shows that the repository has it. Undefined if no manifest said it. */
  sizeOf(repository: UpstreamRepository, digest: Digest): number | undefined {
    return this.#sizes.get(sizeKey(repository, digest));
  }

  /**
   * Records that the repository has a stored blob, unless a manifest said so. Without a record the upstream is asked each time, and the blob
   * is not served while the upstream is down.
   */
  async recordBlob(repository: UpstreamRepository, digest: Digest): Promise<void> {
    if (this.sizeOf(repository, digest) !== undefined) return;
    try {
      await this.#record(repository, digest, { blob: true });
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
    }
  }

  /** Returns a manifest that is stored, and recorded as one of the repository. */
  async find(repository: UpstreamRepository, digest: Digest, options: Cancellable): Promise<Uint8Array | undefined> {
    if (!(await this.#cache.moteExists(digest, options))) return undefined;
    const recent = this.#recent.get(sizeKey(repository, digest));
    if (recent !== undefined) return recent;
    return (await this.#cache.membership?.has(repository.full, digest, options))
      ? this.#read(repository, digest, options)
      : undefined;
  }

  /** Returns a manifest from the cache, where it is stored if it is missing; from the upstream if the cache cannot store it. */
  async bytes(
    repository: UpstreamRepository,
    source: UpstreamSource,
    { descriptor, signal }: Cancellable & { readonly descriptor: Descriptor },
  ): Promise<Uint8Array> {
    const options = { signal };
    const bytes = await this.#stored(repository, source, descriptor, options);
    const found = bytes ?? (await source.manifest(descriptor, options));
    const key = sizeKey(repository, descriptor.digest);
    if (this.#sizes.has(key)) return found;
    // The manifest's own size shows that those of its blobs are known.
    this.#sizes.set(key, descriptor.size);
    for (const blob of blobsOf(found, descriptor.mediaType)) {
      this.#sizes.set(sizeKey(repository, blob.digest), blob.size);
      if (bytes !== undefined) await this.#storeInlined(blob, options);
    }
    return found;
  }

  /** Clients do not request a blob whose bytes are in the manifest, but without it the image would never be complete here. */
  async #storeInlined(blob: Descriptor, options: Cancellable): Promise<void> {
    const bytes = inlinedBytes(blob);
    if (bytes === undefined || (await this.#cache.moteExists(blob.digest, options))) return;
    try {
      await writeMote(this.#cache, blob, bytes, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#health.failed(CacheError.writing(error));
    }
  }

  async #stored(
    repository: UpstreamRepository,
    source: UpstreamSource,
    descriptor: Descriptor,
    options: Cancellable,
  ): Promise<Uint8Array | undefined> {
    const { digest } = descriptor;
    const found = await this.find(repository, digest, options);
    if (found !== undefined) return found;
    try {
      if (!(await this.#cache.moteExists(digest, options))) {
        const fill = this.#fills.fill(descriptor, {
          repository: repository.full,
          source: manifestsAsBlobs(source),
          onStored: () => {},
        });
        await untilAborted(fill.done, options.signal);
      }
      await this.#record(repository, digest, options);
    } catch (error) {
      if (error instanceof CacheError) return undefined;
      throw error;
    }
    return this.#read(repository, digest, options);
  }

  async #read(repository: UpstreamRepository, digest: Digest, options: Cancellable): Promise<Uint8Array | undefined> {
    try {
      const bytes = await readMote(this.#cache, digest, { maxBytes: maxManifestBytes, ...options });
      this.#recent.set(sizeKey(repository, digest), bytes);
      return bytes;
    } catch (error) {
      // A prune may have removed it, or it was damaged and is quarantined now.
      if (hasCode(error, "MOTE_NOT_FOUND", "MOTE_CORRUPT")) return undefined;
      throw error;
    }
  }

  /** Records whose manifest or blob it is. Without that, it is requested of its upstream again. */
  async #record({ full }: UpstreamRepository, digest: Digest, options: RecordOptions): Promise<void> {
    const { membership } = this.#cache;
    try {
      if (membership === undefined || (await membership.has(full, digest, options))) return;
      await membership.record(full, digest, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      const failure = CacheError.writing(error);
      this.#health.failed(failure);
      throw failure;
    }
  }
}

/** Returns no blobs for what is not a valid manifest. */
function blobsOf(bytes: Uint8Array, mediaType: string): readonly Descriptor[] {
  try {
    return manifestChildren(parseManifest(bytes, mediaType)).blobs;
  } catch (error) {
    if (MoteError.isInstance(error)) return [];
    throw error;
  }
}

function sizeKey({ full }: UpstreamRepository, digest: Digest): string {
  return `${full}@${digest}`;
}
