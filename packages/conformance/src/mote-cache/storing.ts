import { digestBytes } from "@mote/core";
import {
  begin,
  collect,
  errorCodeOf,
  large,
  mediaType,
  other,
  put,
  readAll,
  sameBytes,
  small,
} from "../sample-motes.js";
import type { TestApi } from "../test-api.js";
import type { OpenCache } from "./capabilities.js";

/** Tests that motes are found after they were written, until they are removed. */
export function storesMotes({ describe, it, expect }: TestApi, open: OpenCache): void {
  describe("a mote cache that stores motes", () => {
    it("does not find a mote before its writer has closed", async () => {
      await using cache = await open();
      for (const mote of [small, large]) {
        const { writer } = await begin(cache, mote);
        expect(await cache.moteExists(mote.digest)).toBe(false);
        await writer.write(mote.bytes);
        expect(await cache.moteExists(mote.digest)).toBe(false);
        expect(await cache.find(mote.digest)).toBe(undefined);
        expect(await errorCodeOf(() => cache.moteReader(mote.digest))).toBe("MOTE_NOT_FOUND");
        await writer.close();
        expect(await cache.moteExists(mote.digest)).toBe(true);
      }
    });

    it("accepts chunks of any size", async () => {
      await using cache = await open();
      const { writer } = await begin(cache, large);
      let at = 0;
      for (const size of [1, 0, 100, 65_535, 65_536, 65_537, 1, 300_000, 7, 1_500_000]) {
        await writer.write(large.bytes.subarray(at, at + size));
        at += size;
      }
      await writer.close();
      expect(sameBytes(await readAll(cache, large.digest), large.bytes)).toBe(true);
    });

    it("lets the caller reuse its buffer after a write", async () => {
      await using cache = await open();
      for (const { digest, bytes } of [small, large]) {
        const { writer } = await begin(cache, { digest, bytes });
        const buffer = new Uint8Array(100_000);
        for (let at = 0; at < bytes.byteLength; at += buffer.byteLength) {
          const chunk = bytes.subarray(at, at + buffer.byteLength);
          buffer.set(chunk);
          await writer.write(buffer.subarray(0, chunk.byteLength));
          buffer.fill(255);
        }
        await writer.close();
        expect(sameBytes(await readAll(cache, digest), bytes)).toBe(true);
      }
    });

    it("writes the same mote by several writers independently", async () => {
      await using cache = await open();
      for (const mote of [small, large]) {
        const first = await begin(cache, mote);
        const second = await begin(cache, mote);
        const third = await begin(cache, mote);
        await first.writer.write(mote.bytes.subarray(0, 500));
        await second.writer.write(mote.bytes);
        await third.writer.write(mote.bytes);
        await third.writer.abort();
        await second.writer.close();
        await first.writer.write(mote.bytes.subarray(500));
        await first.writer.close();
        expect(sameBytes(await readAll(cache, mote.digest), mote.bytes)).toBe(true);
      }
    });

    it("checks size and digest also when the mote is stored already", async () => {
      await using cache = await open();
      for (const mote of [small, large]) {
        await put(cache, mote);
        const short = await begin(cache, mote);
        await short.writer.write(mote.bytes.subarray(1));
        expect(await errorCodeOf(() => short.writer.close())).toBe("MOTE_SIZE_MISMATCH");
        const wrong = await begin(cache, mote);
        await wrong.writer.write(mote.bytes.with(0, (mote.bytes[0] ?? 0) ^ 1));
        expect(await errorCodeOf(() => wrong.writer.close())).toBe("MOTE_DIGEST_MISMATCH");
        expect(sameBytes(await readAll(cache, mote.digest), mote.bytes)).toBe(true);
      }
    });

    it("stores motes of every algorithm", async () => {
      await using cache = await open();
      for (const algorithm of ["sha256", "sha384", "sha512"] as const) {
        const digest = digestBytes(small.bytes, algorithm);
        await put(cache, { digest, bytes: small.bytes });
        expect(sameBytes(await readAll(cache, digest), small.bytes)).toBe(true);
      }
    });

    it("does not find a removed mote, and stores it again", async () => {
      await using cache = await open();
      await put(cache, small);
      await cache.removeMote(small.digest);
      expect(await cache.moteExists(small.digest)).toBe(false);
      await put(cache, small);
      expect(await cache.moteExists(small.digest)).toBe(true);
    });

    it("reads an open mote to its end after it was removed or pruned", async () => {
      await using cache = await open();
      for (const mote of [small, large]) {
        await put(cache, mote);
        await using reader = await cache.moteReader(mote.digest);
        await using readerAt = await cache.moteReaderAt(mote.digest);
        await cache.removeMote(mote.digest);
        await put(cache, mote);
        await cache.prune(0);
        expect(await cache.moteExists(mote.digest)).toBe(false);
        expect(sameBytes(await collect(reader), mote.bytes)).toBe(true);
        const into = new Uint8Array(10);
        expect(await readerAt.readAt(into, 5)).toBe(10);
        expect(sameBytes(into, mote.bytes.subarray(5, 15))).toBe(true);
      }
    });

    it("rejects every method with MOTE_CLOSED after disposal", async () => {
      const cache = await open();
      await put(cache, small);
      await cache[Symbol.asyncDispose]();
      await cache[Symbol.asyncDispose]();
      expect(await errorCodeOf(() => cache.moteExists(small.digest))).toBe("MOTE_CLOSED");
      expect(await errorCodeOf(() => cache.find(small.digest))).toBe("MOTE_CLOSED");
      expect(await errorCodeOf(() => cache.moteReader(small.digest))).toBe("MOTE_CLOSED");
      expect(await errorCodeOf(() => cache.createMote(other.digest, mediaType))).toBe("MOTE_CLOSED");
      expect(await errorCodeOf(() => cache.prune(0))).toBe("MOTE_CLOSED");
    });

    it("rejects sizes that are not byte counts", async () => {
      await using cache = await open();
      for (const size of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        expect(await errorCodeOf(() => cache.createMote(other.digest, mediaType, size))).toBe("TypeError");
      }
      expect(await errorCodeOf(() => cache.moteWriter(other.digest))).toBe("MOTE_NOT_FOUND");
    });
  });
}
