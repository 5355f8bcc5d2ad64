import { errorCodeOf, mediaType, small } from "../sample-motes.js";
import type { TestApi } from "../test-api.js";
import type { OpenCache } from "./capabilities.js";

/** Tests what every cache does, even one that stores nothing. */
export function everyCache({ describe, it, expect }: TestApi, open: OpenCache): void {
  describe("every mote cache", () => {
    it("is clean after initialize, and again after update", async () => {
      await using cache = await open();
      expect(cache.isDirty()).toBe(false);
      expect(await cache.refresh()).toBe(false);
      await cache.update();
      expect(cache.isDirty()).toBe(false);
    });

    it("can be initialised twice", async () => {
      await using cache = await open();
      await cache.initialize();
    });

    it("removes an absent mote without an error", async () => {
      await using cache = await open();
      await cache.removeMote(small.digest);
    });

    it("rejects invalid digests at run time", async () => {
      await using cache = await open();
      const wrong = "sha256:ABC";
      for (const call of [
        () => Reflect.apply(cache.createMote, cache, [wrong, mediaType]),
        () => Reflect.apply(cache.moteWriter, cache, [wrong]),
        () => Reflect.apply(cache.removeMote, cache, [wrong]),
        () => Reflect.apply(cache.commitMote, cache, ["/nowhere", { digest: wrong, mediaType }, "copy"]),
      ]) {
        expect(await errorCodeOf(call)).toBe("MOTE_INVALID_DIGEST");
      }
    });
  });
}
