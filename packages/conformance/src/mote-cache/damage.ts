import { join } from "node:path";
import { errorCodeOf, large, other, put, readAll, sameBytes, small, withFolder } from "../sample-motes.js";
import type { CacheTests } from "./cache-tests.js";
import type { MoteCacheCapabilities } from "./capabilities.js";

/** Tests that damage is found when a mote is read, linked or verified. */
export function detectsDamage(
  { describe, expect, test }: CacheTests,
  corrupt: NonNullable<MoteCacheCapabilities["corrupt"]>,
): void {
  describe("a mote cache with a damaged mote", () => {
    test("quarantines a damaged mote when it is found, and can store it again", (cache) =>
      withFolder(async (folder) => {
        for (const mote of [small, large]) {
          const find: (() => Promise<unknown>)[] = [() => readAll(cache, mote.digest)];
          if (cache.linkTo !== undefined)
            find.push(async () => await cache.linkTo?.(mote.digest, join(folder, "target")));
          for (const touch of find) {
            await put(cache, mote);
            await corrupt(cache, mote.digest);
            expect(await errorCodeOf(touch)).toBe("MOTE_CORRUPT");
            expect(await cache.moteExists(mote.digest)).toBe(false);
            await put(cache, mote);
            expect(sameBytes(await readAll(cache, mote.digest), mote.bytes)).toBe(true);
          }
        }
      }));

    test("reads a damaged mote with verifyOnRead: false, and leaves it where it is", async (cache) => {
      for (const mote of [small, large]) {
        const { digest, bytes } = mote;
        await put(cache, mote);
        await corrupt(cache, digest);
        const read = await readAll(cache, digest, { verifyOnRead: false });
        expect([read.byteLength, sameBytes(read, bytes)]).toEqual([bytes.byteLength, false]);
        expect(await cache.moteExists(digest)).toBe(true);
      }
    });

    test("finds exactly the damaged motes with verify", async (cache) => {
      if (cache.verify === undefined) return;
      for (const mote of [small, other, large]) await put(cache, mote);
      expect((await cache.verify()).damaged).toEqual([]);
      await corrupt(cache, other.digest);
      const report = await cache.verify();
      expect(report.damaged.map(({ digest }) => digest)).toEqual([other.digest]);
      expect(report.motes).toBe(3);
      expect(await cache.moteExists(other.digest)).toBe(false);
      expect(await cache.moteExists(small.digest)).toBe(true);
    });
  });
}
