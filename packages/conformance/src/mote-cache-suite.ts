import type { MoteCache, MoteSource } from "@mote/core";
import { cacheTests } from "./mote-cache/cache-tests.js";
import type { MoteCacheCapabilities } from "./mote-cache/capabilities.js";
import { commitsFiles } from "./mote-cache/commit-files.js";
import { detectsDamage } from "./mote-cache/damage.js";
import { everyCache } from "./mote-cache/every-cache.js";
import { linksLeasesAndPins } from "./mote-cache/links-leases-pins.js";
import { matchesTheModel } from "./mote-cache/model.js";
import { storesNothing } from "./mote-cache/nil-cache.js";
import { prunes } from "./mote-cache/pruning.js";
import { resumesMotes } from "./mote-cache/resuming.js";
import { storesMotes } from "./mote-cache/storing.js";
import { writesMotes } from "./mote-cache/writing.js";
import { moteSourceSuite } from "./mote-source-suite.js";
import { put } from "./sample-motes.js";
import type { TestApi } from "./test-api.js";

/**
 * Defines tests of the contract of `MoteCache`, and of the optional methods that a cache has (links, enumeration, verification,
 * leases, pins).
 * @param factory creates an empty cache that is not initialised
 */
export function moteCacheSuite(
  testApi: TestApi,
  factory: () => Promise<MoteCache> | MoteCache,
  capabilities: MoteCacheCapabilities = {},
): void {
  const open = async () => {
    const cache = await factory();
    await cache.initialize();
    return cache;
  };
  const tests = cacheTests(testApi, open);
  everyCache(tests);
  writesMotes(tests);
  if (capabilities.stores === false) {
    storesNothing(tests);
    return;
  }
  for (const group of [storesMotes, commitsFiles, prunes, resumesMotes, linksLeasesAndPins]) group(tests);
  matchesTheModel(tests, capabilities);
  const { corrupt } = capabilities;
  if (corrupt !== undefined) detectsDamage(tests, corrupt);
  const caches = new WeakMap<MoteSource, MoteCache>();
  moteSourceSuite(
    testApi,
    async (content) => {
      const cache = await open();
      for (const mote of content) await put(cache, mote);
      caches.set(cache, cache);
      return cache;
    },
    corrupt && { corrupt: async (source, digest) => await corrupt(caches.get(source) ?? (await open()), digest) },
  );
}
