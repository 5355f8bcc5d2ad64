import type { MoteCache } from "@mote/core";
import { errorCodeOf, put, sample } from "../sample-motes.js";
import type { CacheTests } from "./cache-tests.js";

/** Tests `prune` by size and by age. */
export function prunes({ describe, it, expect, open, test }: CacheTests): void {
  const three = ["a", "b", "c"].map((name) => sample(name, 1000));
  const sizes = async (cache: MoteCache) => {
    let total = 0;
    for (const { digest } of three) total += (await cache.find(digest))?.size ?? 0;
    return total;
  };

  describe("prune", () => {
    it("removes only as many motes as are needed to reach the size", async () => {
      for (const [maxSize, left] of [
        [3000, 3000],
        [2999, 2000],
        [2000, 2000],
        [1, 0],
        [0, 0],
      ] as const) {
        await using cache = await open();
        for (const mote of three) await put(cache, mote);
        const report = await cache.prune(maxSize);
        expect(report.reached).toBe(true);
        expect(report.remainingBytes).toBe(left);
        expect(report.removedBytes).toBe(3000 - left);
        expect(report.removed.length).toBe((3000 - left) / 1000);
        expect(await sizes(cache)).toBe(left);
      }
    });

    test("removes nothing in a dry run, and reports what it would remove", async (cache) => {
      for (const mote of three) await put(cache, mote);
      const report = await cache.prune(1000, { dryRun: true });
      expect([report.dryRun, report.reached, report.removedBytes, report.remainingBytes]).toEqual([
        true,
        true,
        2000,
        1000,
      ]);
      expect(await sizes(cache)).toBe(3000);
    });

    test("keeps motes younger than minAgeMs, and reports that the size was not reached", async (cache) => {
      for (const mote of three) await put(cache, mote);
      const report = await cache.prune(0, { minAgeMs: 3_600_000 });
      expect([report.reached, report.remainingBytes]).toEqual([false, 3000]);
    });

    test("removes exactly the motes older than maxAgeMs, even below the size", async (cache) => {
      for (const mote of three) await put(cache, mote);
      await nextMillisecond();
      const young = await cache.prune(Number.POSITIVE_INFINITY, { maxAgeMs: 3_600_000 });
      expect([young.removed.length, young.remainingBytes]).toEqual([0, 3000]);
      const dry = await cache.prune(Number.POSITIVE_INFINITY, { maxAgeMs: 0, dryRun: true });
      expect([dry.removed.length, await sizes(cache)]).toEqual([3, 3000]);
      const old = await cache.prune(Number.POSITIVE_INFINITY, { maxAgeMs: 0 });
      expect([old.removed.length, old.remainingBytes, old.reached]).toEqual([3, 0, true]);
      expect(await sizes(cache)).toBe(0);
    });

    test("keeps what is named in keep", async (cache) => {
      for (const mote of three) await put(cache, mote);
      const kept = three.slice(0, 1);
      const report = await cache.prune(0, { keep: new Set(kept.map(({ digest }) => digest)) });
      expect([report.reached, report.remainingBytes, await sizes(cache)]).toEqual([false, 1000, 1000]);
    });

    test("keeps motes younger than minAgeMs even if they are older than maxAgeMs", async (cache) => {
      for (const mote of three) await put(cache, mote);
      await nextMillisecond();
      const report = await cache.prune(Number.POSITIVE_INFINITY, { maxAgeMs: 0, minAgeMs: 3_600_000 });
      expect([report.removed.length, await sizes(cache)]).toEqual([0, 3000]);
    });

    test("removes the least recently used motes first", async (cache) => {
      for (const mote of three) {
        await put(cache, mote);
        await nextMillisecond();
      }
      const report = await cache.prune(1000);
      expect(report.removed.map(({ digest }) => digest).sort()).toEqual([three[0]?.digest, three[1]?.digest].sort());
    });

    test("rejects negative and NaN sizes and ages, and removes nothing", async (cache) => {
      for (const mote of three) await put(cache, mote);
      for (const bad of [-1, Number.NaN]) {
        expect(await errorCodeOf(() => cache.prune(bad))).toBe("TypeError");
        expect(await errorCodeOf(() => cache.prune(0, { maxAgeMs: bad }))).toBe("TypeError");
        expect(await errorCodeOf(() => cache.prune(0, { minAgeMs: bad }))).toBe("TypeError");
      }
      expect(await sizes(cache)).toBe(3000);
    });
  });
}

/** Waits until the clock has advanced, so that the next mote has a later time. */
async function nextMillisecond(): Promise<void> {
  const startMs = Date.now();
  while (Date.now() <= startMs + 1) await new Promise((resolve) => setImmediate(resolve));
}
