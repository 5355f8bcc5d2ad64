import { digestBytes } from "@mote/core";
import {
  begin,
  collect,
  errorCodeOf,
  errorCodesOf,
  large,
  mediaType,
  other,
  put,
  readAll,
  sameBytes,
  small,
} from "../sample-motes.js";
import type { CacheTests } from "./cache-tests.js";

/** Tests that motes are found after they were written, until they are removed. */
export function storesMotes({ describe, expect, test }: CacheTests): void {
  describe("a mote cache that stores motes", () => {
    test("does not find a mote before its writer has closed", async (cache) => {
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

    test("accepts chunks of any size", async (cache) => {
      const { writer } = await begin(cache, large);
      let at = 0;
      for (const size of [1, 0, 100, 65_535, 65_536, 65_537, 1, 300_000, 7, 1_500_000]) {
        await writer.write(large.bytes.subarray(at, at + size));
        at += size;
      }
      await writer.close();
      expect(sameBytes(await readAll(cache, large.digest), large.bytes)).toBe(true);
    });

    test("lets the caller reuse its buffer after a write", async (cache) => {
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

    test("writes the same mote by several writers independently", async (cache) => {
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

    test("checks size and digest also when the mote is stored already", async (cache) => {
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

    test("stores motes of every algorithm", async (cache) => {
      for (const algorithm of ["sha256", "sha384", "sha512"] as const) {
        const digest = digestBytes(small.bytes, algorithm);
        await put(cache, { digest, bytes: small.bytes });
        expect(sameBytes(await readAll(cache, digest), small.bytes)).toBe(true);
      }
    });

    test("does not find a removed mote, and stores it again", async (cache) => {
      await put(cache, small);
      await cache.removeMote(small.digest);
      expect(await cache.moteExists(small.digest)).toBe(false);
      await put(cache, small);
      expect(await cache.moteExists(small.digest)).toBe(true);
    });

    test("reads an open mote to its end after it was removed or pruned", async (cache) => {
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

    test("rejects every method with MOTE_CLOSED after disposal", async (cache) => {
      await put(cache, small);
      await cache[Symbol.asyncDispose]();
      await cache[Symbol.asyncDispose]();
      const calls = [
        () => cache.moteExists(small.digest),
        () => cache.find(small.digest),
        () => cache.moteReader(small.digest),
        () => cache.createMote(other.digest, mediaType),
        () => cache.prune(0),
      ];
      expect(await errorCodesOf(calls)).toEqual(["MOTE_CLOSED"]);
    });

    test("rejects sizes that are not byte counts", async (cache) => {
      for (const size of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        expect(await errorCodeOf(() => cache.createMote(other.digest, mediaType, size))).toBe("TypeError");
      }
      expect(await errorCodeOf(() => cache.moteWriter(other.digest))).toBe("MOTE_NOT_FOUND");
    });
  });
}
