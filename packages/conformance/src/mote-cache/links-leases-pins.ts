import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestBytes } from "@mote/core";
import {
  begin,
  errorCodeOf,
  large,
  mediaType,
  other,
  put,
  type Sample,
  sameBytes,
  small,
  withFolder,
} from "../sample-motes.js";
import type { CacheTests } from "./cache-tests.js";

/** Tests `motes`, `existing`, `linkTo`, `lease`, `pinned` and `tags`, if the cache has them. */
export function linksLeasesAndPins({ describe, expect, test }: CacheTests): void {
  describe("the optional methods of a mote cache", () => {
    test("list exactly the stored motes", async (cache) => {
      if (cache.motes === undefined) return;
      await put(cache, small);
      await put(cache, other);
      const { writer } = await begin(cache, large);
      await writer.write(large.bytes);
      const found: Digest[] = [];
      for await (const { digest } of cache.motes()) found.push(digest);
      await writer.abort();
      expect(found.sort()).toEqual([small.digest, other.digest].sort());
    });

    test("tell which of many motes exist, and their sizes", async (cache) => {
      if (cache.existing === undefined) return;
      await put(cache, small);
      await put(cache, other);
      const missing = Array.from({ length: 40 }, (_, at) => digestBytes(new TextEncoder().encode(`missing ${at}`)));
      const existing = await cache.existing([...missing, other.digest, small.digest, small.digest]);
      expect([...existing].sort()).toEqual(
        [small, other].map(({ digest, bytes }) => [digest, bytes.byteLength]).sort(),
      );
      expect((await cache.existing([])).size).toBe(0);
    });

    test("link a stored mote to a path, replacing a file there", (cache) =>
      withFolder(async (folder) => {
        if (cache.linkTo === undefined) return;
        const target = join(folder, "deep", "er", "target");
        expect(await cache.linkTo(small.digest, target)).toBe(false);
        await put(cache, small);
        await put(cache, other);
        for (const mote of [other, small, small]) {
          expect(await cache.linkTo(mote.digest, target)).toBe(true);
          expect(sameBytes(await readFile(target), mote.bytes)).toBe(true);
        }
        await cache.removeMote(small.digest);
        expect(sameBytes(await readFile(target), small.bytes)).toBe(true);
      }));

    test("protect leased and pinned motes from prune, which reports them", async (cache) => {
      if (cache.lease === undefined || cache.pinned === undefined) return;
      for (const mote of [small, other, large]) await put(cache, mote);
      await cache.pinned.pin(other.digest);
      const lease = await cache.lease([small.digest]);
      const report = await cache.prune(0);
      const reasons = report.skipped.map(({ digest, reason }) => `${digest} ${reason}`).sort();
      expect(reasons).toEqual([`${small.digest} leased`, `${other.digest} pinned`].sort());
      expect(report.reached).toBe(false);
      await lease.release();
      await cache.prune(0);
      expect(await cache.moteExists(small.digest)).toBe(false);
      await cache.pinned.unpin(other.digest);
      expect((await cache.prune(0)).reached).toBe(true);
    });

    test("set, move, list and remove tags", async (cache) => {
      const { tags } = cache;
      if (tags === undefined) return;
      const descriptor = ({ digest, bytes }: Sample) => ({ mediaType, digest, size: bytes.byteLength });
      expect(await tags.resolve("none")).toBe(undefined);
      await tags.tag("b", descriptor(small));
      await tags.tag("registry.example/a/b:c@d e", descriptor(small));
      await tags.tag("a", descriptor(small));
      await tags.tag("b", descriptor(other));
      expect((await tags.resolve("b"))?.digest).toBe(other.digest);
      await tags.untag("a");
      await tags.untag("a");
      const names: string[] = [];
      for await (const { name } of tags.list()) names.push(name);
      expect(names).toEqual(["b", "registry.example/a/b:c@d e"]);
      for (const name of ["", "a\nb", "x".repeat(4097)]) {
        expect(await errorCodeOf(() => tags.tag(name, descriptor(small)))).toBe("MOTE_INVALID_NAME");
      }
    });
  });
}
