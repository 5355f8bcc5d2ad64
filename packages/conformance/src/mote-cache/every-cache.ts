import { errorCodesOf, mediaType, small } from "../sample-motes.js";
import type { CacheTests } from "./cache-tests.js";

/** Tests what every cache does, even one that stores nothing. */
export function everyCache({ describe, expect, test }: CacheTests): void {
  describe("every mote cache", () => {
    test("is clean after initialize, and again after update", async (cache) => {
      expect(cache.isDirty()).toBe(false);
      expect(await cache.refresh()).toBe(false);
      await cache.update();
      expect(cache.isDirty()).toBe(false);
    });

    test("can be initialised twice", async (cache) => {
      await cache.initialize();
    });

    test("removes an absent mote without an error", async (cache) => {
      await cache.removeMote(small.digest);
    });

    test("rejects invalid digests at run time", async (cache) => {
      const wrong = "sha256:ABC";
      const calls = [
        () => Reflect.apply(cache.createMote, cache, [wrong, mediaType]),
        () => Reflect.apply(cache.moteWriter, cache, [wrong]),
        () => Reflect.apply(cache.removeMote, cache, [wrong]),
        () => Reflect.apply(cache.commitMote, cache, ["/nowhere", { digest: wrong, mediaType }, "copy"]),
      ];
      expect(await errorCodesOf(calls)).toEqual(["MOTE_INVALID_DIGEST"]);
    });
  });
}
