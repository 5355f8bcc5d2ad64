import { isNotFound, type MoteCache, type MoteSource, type TagStore } from "@mote/core";

/** Returns the cache with other names, and with a tier that is read for what the cache lacks. Whatever else it offers, it still does. */
export function viewOf(
  cache: MoteCache,
  { tags, tier }: { readonly tags?: TagStore | undefined; readonly tier?: MoteSource | undefined },
): MoteCache {
  if (tags === undefined && tier === undefined) return cache;
  const replaced = new Map<PropertyKey, unknown>(tier === undefined ? [] : Object.entries(reading(cache, tier)));
  if (tags !== undefined) replaced.set("tags", tags);
  return new Proxy(cache, {
    has: (target, key) => replaced.has(key) || Reflect.has(target, key),
    get(target, key) {
      if (replaced.has(key)) return replaced.get(key);
      const value: unknown = Reflect.get(target, key, target);
      // Its methods may use private fields, which the proxy does not have.
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function reading(cache: MoteCache, tier: MoteSource): Omit<MoteSource, "moteRef"> {
  return {
    moteExists: async (...args) => (await cache.moteExists(...args)) || (await tier.moteExists(...args)),
    find: async (...args) => (await cache.find(...args)) ?? (await tier.find(...args)),
    moteReader: (...args) => orElse(cache.moteReader(...args), () => tier.moteReader(...args)),
    moteReaderAt: (...args) => orElse(cache.moteReaderAt(...args), () => tier.moteReaderAt(...args)),
  };
}

async function orElse<T>(first: Promise<T>, next: () => Promise<T>): Promise<T> {
  try {
    return await first;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return next();
  }
}
