import {
  BoundedMap,
  type Descriptor,
  type Digest,
  isNotFound,
  type Logger,
  type MoteCache,
  manifestChildren,
  readManifest,
  type TagStore,
} from "@mote/core";

/** Tags of one repository that wait for their images, at most. */
const maxWaiting = 1_000;
const maxDepth = 4;
/** Milliseconds for which a tag is not examined again because it was requested; only because content was stored. */
const maxMemoryMs = 10_000;
const maxRemembered = 10_000;
/** Missing digests of one tag that are remembered, at most. */
const maxMissing = 64;

interface WaitingTag {
  readonly descriptor: Descriptor;
  /** While none of these is stored, the image is still incomplete. Empty: unknown. */
  missing: readonly Digest[];
}

/**
 * Sets the tags of images when they are complete: an image when all its blobs are stored, an index when one of its images is complete,
 * as clients fetch the image of their platform alone.
 */
export class ImageTags {
  readonly #cache: MoteCache;
  readonly #tags: TagStore;
  readonly #logger: Logger;
  /** Tags that were set, or whose images were not complete, by full name. */
  readonly #examined = new BoundedMap<string, { readonly digest: Digest; readonly atMs: number }>(maxRemembered);
  /** By repository and full name. */
  readonly #waiting = new Map<string, Map<string, WaitingTag>>();
  readonly #running = new Set<Promise<void>>();

  constructor(cache: MoteCache, tags: TagStore, logger: Logger) {
    this.#cache = cache;
    this.#tags = tags;
    this.#logger = logger;
  }

  /** A tag of the repository means the manifest. */
  resolved(repository: string, name: string, descriptor: Descriptor): void {
    this.#run(this.#resolved(repository, name, descriptor));
  }

  /** A manifest or blob of the repository was stored. */
  stored(repository: string): void {
    this.#run(this.#stored(repository));
  }

  /** Resolves when the tags of all images that are complete are set. */
  async close(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Neither of them rejects. */
  #run(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  async #resolved(repository: string, name: string, descriptor: Descriptor): Promise<void> {
    if (this.#isExamined(name, descriptor)) return;
    this.#examined.set(name, { digest: descriptor.digest, atMs: performance.now() });
    if (await this.#isSet(name, descriptor).catch(() => false)) return;
    const waiting = this.#waiting.get(repository) ?? new Map<string, WaitingTag>();
    if (waiting.get(name)?.descriptor.digest !== descriptor.digest && waiting.size < maxWaiting) {
      waiting.set(name, { descriptor, missing: [] });
      this.#waiting.set(repository, waiting);
    }
    await this.#stored(repository);
  }

  async #isSet(name: string, { digest }: Descriptor): Promise<boolean> {
    return (await this.#tags.resolve(name))?.digest === digest;
  }

  #isExamined(name: string, { digest }: Descriptor): boolean {
    const examined = this.#examined.get(name);
    return examined?.digest === digest && performance.now() - examined.atMs < maxMemoryMs;
  }

  async #stored(repository: string): Promise<void> {
    const waiting = this.#waiting.get(repository) ?? [];
    for (const [name, tag] of [...waiting]) await this.#setIfComplete(repository, name, tag);
  }

  async #setIfComplete(repository: string, name: string, tag: WaitingTag): Promise<void> {
    const { descriptor } = tag;
    try {
      if (tag.missing.length > 0 && !(await this.#isAnyStored(tag.missing))) return;
      const missing = await this.#missingOf(descriptor, 0);
      tag.missing = missing.length > maxMissing ? [] : missing;
      if (missing.length > 0) return;
      if (!(await this.#isSet(name, descriptor))) await this.#tags.tag(name, descriptor);
    } catch (error) {
      this.#logger.warn("cannot set the tag of an image", { name, error });
    }
    const waiting = this.#waiting.get(repository);
    if (waiting?.get(name)?.descriptor.digest === descriptor.digest) waiting.delete(name);
    if (waiting?.size === 0) this.#waiting.delete(repository);
  }

  async #isAnyStored(digests: readonly Digest[]): Promise<boolean> {
    for (const digest of digests) if (await this.#cache.moteExists(digest)) return true;
    return false;
  }

  /** Returns a missing digest of each image: the tag's image is incomplete while all of them are missing. Empty if it is complete. */
  async #missingOf(descriptor: Descriptor, depth: number): Promise<readonly Digest[]> {
    let children: ReturnType<typeof manifestChildren>;
    try {
      children = manifestChildren(await readManifest(this.#cache, descriptor, { countsAsUse: false }));
    } catch (error) {
      if (isNotFound(error)) return [descriptor.digest];
      throw error;
    }
    for (const { digest } of children.blobs) if (!(await this.#cache.moteExists(digest))) return [digest];
    if (children.manifests.length === 0) return [];
    if (depth === maxDepth) return [descriptor.digest];
    const missing: Digest[] = [];
    for (const manifest of children.manifests) {
      const ofImage = await this.#missingOf(manifest, depth + 1);
      if (ofImage.length === 0) return [];
      missing.push(...ofImage);
    }
    return missing;
  }
}
