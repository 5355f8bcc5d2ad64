import { collect, errorCodeOf, large, mediaType, readAll, sameBytes } from "../sample-motes.js";
import type { CacheTests } from "./cache-tests.js";

/** Tests `resumeMote`, `leadMote` and `followMote`, if the cache has them. */
export function resumesMotes({ describe, expect, test }: CacheTests): void {
  describe("a mote cache that resumes writes", () => {
    test("continues after the bytes of a suspended writer", async (cache) => {
      if (cache.resumeMote === undefined) return;
      const { digest, bytes } = large;
      for (const cut of [0, 0.1, 0.5, 0.9, 1]) {
        const at = Math.floor(cut * bytes.byteLength);
        const mote = await cache.createMote(digest, mediaType, bytes.byteLength);
        const first = await cache.resumeMote(mote);
        await first.write(bytes.subarray(first.offset, at));
        await first.suspend();
        expect(await cache.moteExists(digest)).toBe(false);
        const second = await cache.resumeMote(mote);
        expect(second.offset).toBe(at);
        await second.write(bytes.subarray(second.offset));
        await second.close();
        expect(sameBytes(await readAll(cache, digest), bytes)).toBe(true);
        await cache.removeMote(digest);
      }
    });

    test("rejects resumed bytes with another digest, and then starts from the beginning", async (cache) => {
      if (cache.resumeMote === undefined) return;
      const { digest, bytes } = large;
      const mote = { digest, mediaType, size: bytes.byteLength };
      const first = await cache.resumeMote(mote);
      await first.write(new Uint8Array(1000));
      await first.suspend();
      const second = await cache.resumeMote(mote);
      await second.write(bytes.subarray(second.offset));
      expect(await errorCodeOf(() => second.close())).toBe("MOTE_DIGEST_MISMATCH");
      const third = await cache.resumeMote(mote);
      expect(third.offset).toBe(0);
      await third.abort();
    });

    test("lets one caller lead and others follow, and no caller lead a stored mote", async (cache) => {
      if (cache.leadMote === undefined || cache.followMote === undefined) return;
      const { digest, bytes } = large;
      const mote = { digest, mediaType, size: bytes.byteLength };
      expect(await cache.followMote(digest)).toBe(undefined);
      const writer = await cache.leadMote(mote);
      expect(await cache.leadMote(mote)).toBe(undefined);
      const follower = await cache.followMote(digest);
      const followed = collect(follower ?? none());
      await writer?.write(bytes.subarray(0, 700_000));
      await writer?.write(bytes.subarray(700_000));
      await writer?.close();
      expect(sameBytes(await followed, bytes)).toBe(true);
      expect(await cache.leadMote(mote)).toBe(undefined);
    });

    test("fails a follower with MOTE_WRITER_GONE when its leader aborts", async (cache) => {
      if (cache.leadMote === undefined || cache.followMote === undefined) return;
      const { digest, bytes } = large;
      const writer = await cache.leadMote({ digest, mediaType, size: bytes.byteLength });
      await writer?.write(bytes.subarray(0, 700_000));
      const follower = await cache.followMote(digest);
      const ended = errorCodeOf(() => collect(follower ?? none()));
      await writer?.abort();
      expect(await ended).toBe("MOTE_WRITER_GONE");
    });
  });
}

async function* none(): AsyncGenerator<Uint8Array> {}
