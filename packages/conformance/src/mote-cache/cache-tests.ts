import type { MoteCache } from "@mote/core";
import type { TestApi } from "../test-api.js";
import type { OpenCache } from "./capabilities.js";

/** The functions that a file of tests uses. */
export interface CacheTests extends TestApi {
  readonly open: OpenCache;
  /** Defines a test with an empty cache, which is disposed of afterwards. */
  test(name: string, body: (cache: MoteCache) => Promise<void>): unknown;
}

export function cacheTests({ describe, it, expect }: TestApi, open: OpenCache): CacheTests {
  const test: CacheTests["test"] = (name, body) =>
    it(name, async () => {
      await using cache = await open();
      await body(cache);
    });
  return { describe, it, expect, open, test };
}
