import {
  type Descriptor,
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

/**
 * Sets the tags of images when they are complete: an image when all its blobs are stored, an index when one of its images is complete,
 * as clients fetch the image of their platform alone.
 */
export class ImageTags {
  readonly #cache: MoteCache;
  readonly #tags: TagStore;
  readonly #logger: Logger;
  /** By repository and full name. */
  readonly #waiting = new Map<string, Map<string, Descriptor>>();

  constructor(cache: MoteCache, tags: TagStore, logger: Logger) {
    this.#cache = cache;
    this.#tags = tags;
    this.#logger = logger;
  }

  /** A tag of the repository means the manifest. */
  async resolved(repository: string, name: string, descriptor: Descriptor): Promise<void> {
    if (await this.#isSet(name, descriptor).catch(() => false)) return;
    const waiting = this.#waiting.get(repository) ?? new Map<string, Descriptor>();
    if (waiting.get(name)?.digest !== descriptor.digest && waiting.size < maxWaiting) {
      waiting.set(name, descriptor);
      this.#waiting.set(repository, waiting);
    }
    await this.stored(repository);
  }

  async #isSet(name: string, { digest }: Descriptor): Promise<boolean> {
    return (await this.#tags.resolve(name))?.digest === digest;
  }

  /** A manifest or blob of the repository was stored. */
  async stored(repository: string): Promise<void> {
    const waiting = this.#waiting.get(repository) ?? [];
    for (const [name, descriptor] of [...waiting]) await this.#setIfComplete(repository, name, descriptor);
  }

  async #setIfComplete(repository: string, name: string, descriptor: Descriptor): Promise<void> {
    try {
      if (!(await this.#isComplete(descriptor, 0))) return;
      if (!(await this.#isSet(name, descriptor))) await this.#tags.tag(name, descriptor);
    } catch (error) {
      this.#logger.warn("cannot set the tag of an image", { name, error });
    }
    const waiting = this.#waiting.get(repository);
    if (waiting?.get(name)?.digest === descriptor.digest) waiting.delete(name);
    if (waiting?.size === 0) this.#waiting.delete(repository);
  }

  async #isComplete(descriptor: Descriptor, depth: number): Promise<boolean> {
    let children: ReturnType<typeof manifestChildren>;
    try {
      children = manifestChildren(await readManifest(this.#cache, descriptor, { countsAsUse: false }));
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
    for (const { digest } of children.blobs) if (!(await this.#cache.moteExists(digest))) return false;
    if (children.manifests.length === 0) return true;
    if (depth === maxDepth) return false;
    for (const manifest of children.manifests) if (await this.#isComplete(manifest, depth + 1)) return true;
    return false;
  }
}
