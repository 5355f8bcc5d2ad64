import { type BlobInfoCache, type Logger, silentLogger } from "@mote/core";
import { rankedCandidates } from "./blob-info-cache/candidates.js";
import { rejectsInvalidArguments } from "./blob-info-cache/invalid-arguments.js";
import { lifeCycle } from "./blob-info-cache/life-cycle.js";
import { recordedLocations } from "./blob-info-cache/locations.js";
import { optionalMethods } from "./blob-info-cache/optional-methods.js";
import type { BlobInfoCacheFactory, BlobInfoCacheSetup, BlobInfoCacheSuiteOptions } from "./blob-info-cache/options.js";
import { pairsAndTransformers } from "./blob-info-cache/pairs-and-transformers.js";
import type { RuleTests } from "./blob-info-cache/rule-tests.js";
import type { TestApi } from "./test-api.js";

/** Defines tests of the rules that every `BlobInfoCache` follows, with and without `open` and `close`. */
export function blobInfoCacheSuite(
  api: TestApi,
  factory: BlobInfoCacheFactory,
  options: BlobInfoCacheSuiteOptions = {},
): void {
  api.describe("without open", () => {
    rules(api, options, async (setup, use) => {
      await using cache = await factory(setup);
      await use(cache);
    });
  });
  api.describe("with open and close", () => {
    rules(api, options, async (setup, use) => {
      const cache = await factory(setup);
      await cache.open();
      try {
        await use(cache);
      } finally {
        await cache.close();
      }
    });
  });
  lifeCycle(api, factory);
  optionalMethods(api, factory, options);
}

/** Calls `use` with a cache. */
type WithCache = (setup: BlobInfoCacheSetup, use: (cache: BlobInfoCache) => Promise<void>) => Promise<void>;

function rules({ it, expect }: TestApi, options: BlobInfoCacheSuiteOptions, withCache: WithCache): void {
  const test: RuleTests["test"] = (name, body, { now } = { now: Date.now }) =>
    it(name, async () => {
      const warnings: string[] = [];
      const logger: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
      await withCache({ logger, now }, (cache) => body(cache, warnings));
    });
  for (const group of [pairsAndTransformers, recordedLocations, rankedCandidates, rejectsInvalidArguments]) {
    group({ test, expect, options });
  }
}
