import {
  type Cancellable,
  type ContentSource,
  cosignTags,
  type Descriptor,
  type Digest,
  findReferrers,
  isManifestType,
  MoteError,
  type Ref,
  readManifest,
  type Tag,
} from "@mote/core";
import type { Parts } from "../parts.js";
import { otherTag } from "../references/references.js";
import { isRegistryFailure } from "./registry-failure.js";

export interface StoredReferrersOptions {
  /** Whether the image itself came from the cache, so that the source is not requested. */
  readonly isOffline: () => boolean;
  /** Called when the cache is used in place of the source. */
  readonly warn: (message: string, code: string) => void;
}

/** The referrers of manifests of `source`, taken from the cache while the source cannot be reached. */
export class StoredReferrers {
  readonly #source: ContentSource | undefined;
  readonly #ref: Ref;
  readonly #parts: Parts;
  readonly #options: StoredReferrersOptions;
  #isUnavailable = false;
  #inCache: ReadonlyMap<Digest, readonly Descriptor[]> | undefined;

  /** @param source undefined if no registry may be contacted */
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

  /** Uses the cache for an image that is itself taken from it, or that it has referrers of. For any other, "none" would leave signatures behind. */
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
    const { cache } = this.#parts;
    async function* manifests(): AsyncGenerator<Descriptor, void, undefined> {
      for await (const { digest, mediaType, size } of cache.motes?.(options) ?? []) {
        if (isManifestType(mediaType)) yield { digest, mediaType, size };
      }
    }
    // Missing or damaged content cannot be moved either.
    const read = (descriptor: Descriptor) =>
      readManifest(cache, descriptor, { ...options, countsAsUse: false }).catch((error: unknown) => {
        if (!MoteError.isInstance(error)) throw error;
        return undefined;
      });
    this.#inCache ??= await findReferrers(manifests(), read);
    return this.#inCache;
  }
}
