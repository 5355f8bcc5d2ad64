import { errorCodeOf, put, small } from "../sample-motes.js";
import type { CacheTests } from "./cache-tests.js";

/** Tests a cache that stores nothing. */
export function storesNothing({ describe, expect, test }: CacheTests): void {
  describe("a cache that stores nothing", () => {
    test("does not find a mote that was written to it", async (cache) => {
      await put(cache, small);
      expect(await cache.moteExists(small.digest)).toBe(false);
      expect(await cache.find(small.digest)).toBe(undefined);
      expect(await errorCodeOf(() => cache.moteReader(small.digest))).toBe("MOTE_NOT_FOUND");
      expect(await errorCodeOf(() => cache.moteReaderAt(small.digest))).toBe("MOTE_NOT_FOUND");
    });

    test("prunes nothing", async (cache) => {
      await put(cache, small);
      const report = await cache.prune(0);
      expect([report.removed.length, report.remainingBytes, report.reached]).toEqual([0, 0, true]);
    });
  });
}
