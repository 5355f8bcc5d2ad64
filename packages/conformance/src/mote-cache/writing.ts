import type { MoteInfo } from "@mote/core";
import { begin, errorCodeOf, large, mediaType, other, put, small } from "../sample-motes.js";
import type { CacheTests } from "./cache-tests.js";

/** Tests what writers accept and reject, and how they end. */
export function writesMotes({ describe, expect, test }: CacheTests): void {
  describe("a writer of a mote cache", () => {
    test("is not available before createMote", async (cache) => {
      expect(await errorCodeOf(() => cache.moteWriter(small.digest))).toBe("MOTE_NOT_FOUND");
    });

    test("is available only once for each createMote", async (cache) => {
      await put(cache, small);
      expect(await errorCodeOf(() => cache.moteWriter(small.digest))).toBe("MOTE_NOT_FOUND");
    });

    test("fails to close when bytes are missing", async (cache) => {
      for (const { digest, bytes } of [small, large]) {
        const { writer } = await begin(cache, { digest, bytes });
        await writer.write(bytes.subarray(1));
        expect(await errorCodeOf(() => writer.close())).toBe("MOTE_SIZE_MISMATCH");
        expect(await cache.moteExists(digest)).toBe(false);
      }
    });

    test("rejects a byte beyond the size at once", async (cache) => {
      for (const { digest, bytes } of [small, large]) {
        const { writer } = await begin(cache, { digest, bytes });
        await writer.write(bytes);
        expect(await errorCodeOf(() => writer.write(new Uint8Array(1)))).toBe("MOTE_SIZE_MISMATCH");
        await writer.abort();
        expect(await cache.moteExists(digest)).toBe(false);
      }
    });

    test("rejects bytes with another digest", async (cache) => {
      for (const { digest, bytes } of [small, large]) {
        const { writer } = await begin(cache, { digest, bytes: bytes.with(7, (bytes[7] ?? 0) ^ 1) });
        await writer.write(bytes.with(7, (bytes[7] ?? 0) ^ 1));
        expect(await errorCodeOf(() => writer.close())).toBe("MOTE_DIGEST_MISMATCH");
        expect(await cache.moteExists(digest)).toBe(false);
      }
    });

    test("stores a mote after a failed write", async (cache) => {
      const { writer } = await begin(cache, small);
      expect(await errorCodeOf(() => writer.close())).toBe("MOTE_SIZE_MISMATCH");
      expect((await put(cache, small)).digest).toBe(small.digest);
    });

    test("returns digest, size and media type from close", async (cache) => {
      const expected: MoteInfo = { digest: small.digest, size: small.bytes.byteLength, mediaType };
      expect(await put(cache, small)).toEqual(expected);
    });

    test("counts the bytes written", async (cache) => {
      const { writer } = await begin(cache, large);
      expect(writer.bytesWritten).toBe(0);
      await writer.write(large.bytes.subarray(0, 10));
      expect(writer.bytesWritten).toBe(10);
      await writer.write(large.bytes.subarray(10, 1_000_000));
      expect(writer.bytesWritten).toBe(1_000_000);
      await writer.abort();
    });

    test("writes a mote of unknown size", async (cache) => {
      for (const { digest, bytes } of [small, large]) {
        await cache.createMote(digest, mediaType);
        await using writer = await cache.moteWriter(digest);
        await writer.write(bytes);
        expect((await writer.close()).size).toBe(bytes.byteLength);
      }
    });

    test("can be closed or aborted twice, and rejects further use", async (cache) => {
      const { writer: closed } = await begin(cache, small);
      await closed.write(small.bytes);
      await closed.close();
      expect((await closed.close()).digest).toBe(small.digest);
      await closed.abort();
      expect(await errorCodeOf(() => closed.write(small.bytes))).toBe("MOTE_CLOSED");
      const { writer: aborted } = await begin(cache, other);
      await aborted.abort();
      await aborted.abort();
      expect(await errorCodeOf(() => aborted.write(other.bytes))).toBe("MOTE_CLOSED");
      expect(await errorCodeOf(() => aborted.close())).toBe("MOTE_CLOSED");
    });

    test("does not succeed in a second close after a failed one", async (cache) => {
      for (const { digest, bytes } of [small, large]) {
        const { writer } = await begin(cache, { digest, bytes });
        await writer.write(bytes.subarray(1));
        expect(await errorCodeOf(() => writer.close())).toBe("MOTE_SIZE_MISMATCH");
        expect(await errorCodeOf(() => writer.write(bytes.subarray(0, 1)))).toBe("MOTE_CLOSED");
        expect((await errorCodeOf(() => writer.close())) === "none").toBe(false);
        await writer.abort();
        expect(await cache.moteExists(digest)).toBe(false);
      }
    });

    test("returns the same from every close, concurrent or not", async (cache) => {
      for (const mote of [small, large]) {
        const { writer } = await begin(cache, mote);
        await writer.write(mote.bytes);
        const expected: MoteInfo = { digest: mote.digest, size: mote.bytes.byteLength, mediaType };
        expect(await Promise.all([writer.close(), writer.close()])).toEqual([expected, expected]);
        expect(await writer.close()).toEqual(expected);
      }
    });

    test("stores nothing when disposed without close", async (cache) => {
      for (const mote of [small, large]) {
        {
          const { writer } = await begin(cache, mote);
          await using _ = writer;
          await writer.write(mote.bytes);
        }
        expect(await cache.moteExists(mote.digest)).toBe(false);
      }
    });
  });
}
