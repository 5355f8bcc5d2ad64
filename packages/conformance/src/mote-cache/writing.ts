import type { MoteInfo } from "@mote/core";
import { begin, errorCodeOf, large, mediaType, other, put, small } from "../sample-motes.js";
import type { TestApi } from "../test-api.js";
import type { OpenCache } from "./capabilities.js";

/** Writers: what they accept, what they refuse, and how they end. */
export function writesMotes({ describe, it, expect }: TestApi, open: OpenCache): void {
  describe("a writer of a mote cache", () => {
    it("gives no writer for what was not created first", async () => {
      await using cache = await open();
      expect(await errorCodeOf(() => cache.moteWriter(small.digest))).toBe("MOTE_NOT_FOUND");
    });

    it("takes each created mote for one writer only", async () => {
      await using cache = await open();
      await put(cache, small);
      expect(await errorCodeOf(() => cache.moteWriter(small.digest))).toBe("MOTE_NOT_FOUND");
    });

    it("refuses a writer's close when bytes are missing", async () => {
      await using cache = await open();
      for (const { digest, bytes } of [small, large]) {
        const { writer } = await begin(cache, { digest, bytes });
        await writer.write(bytes.subarray(1));
        expect(await errorCodeOf(() => writer.close())).toBe("MOTE_SIZE_MISMATCH");
        expect(await cache.moteExists(digest)).toBe(false);
      }
    });

    it("refuses a byte too many as soon as it comes", async () => {
      await using cache = await open();
      for (const { digest, bytes } of [small, large]) {
        const { writer } = await begin(cache, { digest, bytes });
        await writer.write(bytes);
        expect(await errorCodeOf(() => writer.write(new Uint8Array(1)))).toBe("MOTE_SIZE_MISMATCH");
        await writer.abort();
        expect(await cache.moteExists(digest)).toBe(false);
      }
    });

    it("refuses bytes that hash to something else", async () => {
      await using cache = await open();
      for (const { digest, bytes } of [small, large]) {
        const { writer } = await begin(cache, { digest, bytes: bytes.with(7, (bytes[7] ?? 0) ^ 1) });
        await writer.write(bytes.with(7, (bytes[7] ?? 0) ^ 1));
        expect(await errorCodeOf(() => writer.close())).toBe("MOTE_DIGEST_MISMATCH");
        expect(await cache.moteExists(digest)).toBe(false);
      }
    });

    it("accepts a mote again after a failed write", async () => {
      await using cache = await open();
      const { writer } = await begin(cache, small);
      expect(await errorCodeOf(() => writer.close())).toBe("MOTE_SIZE_MISMATCH");
      expect((await put(cache, small)).digest).toBe(small.digest);
    });

    it("reports digest, size and media type when a writer closes", async () => {
      await using cache = await open();
      const expected: MoteInfo = { digest: small.digest, size: small.bytes.byteLength, mediaType };
      expect(await put(cache, small)).toEqual(expected);
    });

    it("counts a writer's bytes", async () => {
      await using cache = await open();
      const { writer } = await begin(cache, large);
      expect(writer.bytesWritten).toBe(0);
      await writer.write(large.bytes.subarray(0, 10));
      expect(writer.bytesWritten).toBe(10);
      await writer.write(large.bytes.subarray(10, 1_000_000));
      expect(writer.bytesWritten).toBe(1_000_000);
      await writer.abort();
    });

    it("writes a mote whose size nobody told", async () => {
      await using cache = await open();
      for (const { digest, bytes } of [small, large]) {
        await cache.createMote(digest, mediaType);
        await using writer = await cache.moteWriter(digest);
        await writer.write(bytes);
        expect((await writer.close()).size).toBe(bytes.byteLength);
      }
    });

    it("lets a writer be ended twice, and not be used after", async () => {
      await using cache = await open();
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

    it("does not accept, by a second close, what the first refused", async () => {
      await using cache = await open();
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

    it("reports the same to every close, at once or one after the other", async () => {
      await using cache = await open();
      for (const mote of [small, large]) {
        const { writer } = await begin(cache, mote);
        await writer.write(mote.bytes);
        const expected: MoteInfo = { digest: mote.digest, size: mote.bytes.byteLength, mediaType };
        expect(await Promise.all([writer.close(), writer.close()])).toEqual([expected, expected]);
        expect(await writer.close()).toEqual(expected);
      }
    });

    it("leaves nothing of a writer that is disposed without close", async () => {
      await using cache = await open();
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
