import type { MoteCache, TagStore } from "@mote/core";

/** Returns the cache with a different tag store. Its other methods are unchanged. */
export function viewOf(cache: MoteCache, { tags }: { readonly tags?: TagStore | undefined }): MoteCache {
  if (tags === undefined) return cache;
  return new Proxy(cache, {
    has: (target, key) => key === "tags" || Reflect.has(target, key),
    get(target, key) {
      if (key === "tags") return tags;
      const value: unknown = Reflect.get(target, key, target);
      // Its methods may use private fields, which the proxy does not have.
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
