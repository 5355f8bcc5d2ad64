import type { MoteCache, MoteInfo } from "@mote/core";

/** What the cache keeps. */
export function listMotes(cache: MoteCache, signal?: AbortSignal): AsyncIterable<MoteInfo> {
  if (!cache.motes) throw new TypeError("this cache cannot be listed");
  return cache.motes({ signal });
}

/** The names that stand for each manifest. */
export async function tagsByDigest(cache: MoteCache): Promise<Map<string, string[]>> {
  const byDigest = new Map<string, string[]>();
  for await (const { name, descriptor } of cache.tags?.list() ?? []) {
    byDigest.set(descriptor.digest, [...(byDigest.get(descriptor.digest) ?? []), name]);
  }
  return byDigest;
}
