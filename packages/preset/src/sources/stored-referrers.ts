import {
  type Cancellable,
  type ContentSource,
  cosignTags,
  type Descriptor,
  type Digest,
  type Ref,
  type Tag,
} from "@mote/core";
import type { Parts } from "../parts.js";
import { otherTag } from "../references/references.js";
import { referrersInCache } from "./referrers-in-cache.js";
import { isRegistryFailure } from "./registry-failure.js";

export interface StoredReferrersOptions {
  /** Whether the image itself came from the cache, and the source is not contacted. */
  readonly isOffline: () => boolean;
  /** Called when the cache is used instead of the source. */
  readonly warn: (message: string, code: string) => void;
}

/** The referrers of manifests of `source`, from the cache while the source is unavailable. */
export class StoredReferrers {
  readonly #source: ContentSource | undefined;
  readonly #ref: Ref;
  readonly #parts: Parts;
  readonly #options: StoredReferrersOptions;
  #isUnavailable = false;
  #inCache: ReadonlyMap<Digest, readonly Descriptor[]> | undefined;

  /** @param source undefined if offline */
  constructor(source: ContentSource | undefined, ref: Ref, parts: Parts, options: StoredReferrersOptions) {
    this.#source = source;
    this.#ref = ref;
    this.#parts = parts;
    this.#options = options;
  }

  referrers(descriptor: Descriptor, options: Cancellable = {}): AsyncIterable<Descriptor> {
    return this.#fromSource(
      () => this.#source?.referrers?.(descriptor, options),
      async () => (await this.#referrersInCache(options)).get(descriptor.digest) ?? [],
    );
  }

  taggedReferrers(descriptor: Descriptor, options: Cancellable = {}): AsyncIterable<Tag> {
    return this.#fromSource(
      () => this.#source?.taggedReferrers?.(descriptor, options),
      async () => {
        const { tags, references } = this.#parts;
        const found: Tag[] = [];
        for (const name of cosignTags(descriptor.digest)) {
          const known = await tags.resolve(references.nameInCache(otherTag(this.#ref, name)), options);
          if (known !== undefined) found.push({ name, descriptor: known });
        }
        return found;
      },
    );
  }

  /** Uses the cache if the image itself came from it, or if it has referrers of the image. Otherwise signatures would be lost silently. */
  async *#fromSource<T>(
    ask: () => AsyncIterable<T> | undefined,
    askCache: () => Promise<readonly T[]>,
  ): AsyncGenerator<T, void, undefined> {
    if (!this.#isUnavailable && !this.#options.isOffline()) {
      try {
        yield* ask() ?? [];
        return;
      } catch (error) {
        if (!isRegistryFailure(error)) throw error;
        if ((await askCache()).length === 0) throw error;
        this.#isUnavailable = true;
        this.#options.warn(`${error.message}; moving the referrers that were pulled before`, error.code);
      }
    }
    yield* await askCache();
  }

  async #referrersInCache(options: Cancellable): Promise<ReadonlyMap<Digest, readonly Descriptor[]>> {
    this.#inCache ??= await referrersInCache(this.#parts.cache, options);
    return this.#inCache;
  }
}
