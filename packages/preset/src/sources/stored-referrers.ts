import { type Cancellable, type ContentSource, cosignTags, type Descriptor, type Ref, type Tag } from "@mote/core";
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

/** Returns the referrers of manifests of `source`, from the cache while the source is unavailable. @param source undefined if offline */
export function storedReferrers(
  source: ContentSource | undefined,
  ref: Ref,
  { cache, tags, references }: Parts,
  { isOffline, warn }: StoredReferrersOptions,
): Required<Pick<ContentSource, "referrers" | "taggedReferrers">> {
  let isUnavailable = false;
  let inCache: Awaited<ReturnType<typeof referrersInCache>> | undefined;
  /** Uses the cache if the image itself came from it, or if it has referrers of the image. Otherwise signatures would be lost silently. */
  async function* fromSource<T>(
    ask: () => AsyncIterable<T> | undefined,
    askCache: () => Promise<readonly T[]>,
  ): AsyncGenerator<T, void, undefined> {
    if (!isUnavailable && !isOffline()) {
      try {
        yield* ask() ?? [];
        return;
      } catch (error) {
        if (!isRegistryFailure(error)) throw error;
        if ((await askCache()).length === 0) throw error;
        isUnavailable = true;
        warn(`${error.message}; moving the referrers that were pulled before`, error.code);
      }
    }
    yield* await askCache();
  }
  const storedTags = async ({ digest }: Descriptor, options: Cancellable) => {
    const found: Tag[] = [];
    for (const name of cosignTags(digest)) {
      const known = await tags.resolve(references.nameInCache(otherTag(ref, name)), options);
      if (known !== undefined) found.push({ name, descriptor: known });
    }
    return found;
  };
  return {
    referrers: (descriptor, options = {}) =>
      fromSource(
        () => source?.referrers?.(descriptor, options),
        async () => {
          inCache ??= await referrersInCache(cache, options);
          return inCache.get(descriptor.digest) ?? [];
        },
      ),
    taggedReferrers: (descriptor, options = {}) =>
      fromSource(
        () => source?.taggedReferrers?.(descriptor, options),
        () => storedTags(descriptor, options),
      ),
  };
}
