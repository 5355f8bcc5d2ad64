import { digestBytes, type MoteSource } from "@mote/core";
import { collect, errorCodeOf, errorCodesOf, readAll, type Sample, sameBytes, sample } from "./sample-motes.js";
import type { TestApi } from "./test-api.js";

export interface MoteSourceCapabilities {
  /** Changes a byte of the stored mote without the source's knowledge. Without it, damage is not tested. */
  readonly corrupt?: ((source: MoteSource, digest: Sample["digest"]) => Promise<void>) | undefined;
}

/**
 * Defines tests of the contract of `MoteSource`, the reading half of a cache.
 * @param factory creates a source with exactly `content`
 */
export function moteSourceSuite(
  { describe, it, expect }: TestApi,
  factory: (content: readonly Sample[]) => Promise<MoteSource> | MoteSource,
  capabilities: MoteSourceCapabilities = {},
): void {
  const empty = sample("empty", 0);
  const small = sample("small", 4000);
  const large = sample("large", 3_000_001);
  const absent = digestBytes(new TextEncoder().encode("absent"));
  const test = (name: string, body: (source: MoteSource) => Promise<void>) =>
    it(name, async () => {
      const source: MoteSource & Partial<AsyncDisposable> = await factory([empty, small, large]);
      try {
        await body(source);
      } finally {
        await source[Symbol.asyncDispose]?.();
      }
    });

  describe("a mote source", () => {
    test("reads every mote byte for byte", async (source) => {
      for (const { digest, bytes } of [empty, small, large]) {
        expect(sameBytes(await readAll(source, digest), bytes)).toBe(true);
      }
    });

    test("finds its motes and their sizes", async (source) => {
      for (const { digest, bytes } of [empty, small, large]) {
        expect(await source.moteExists(digest)).toBe(true);
        const info = await source.find(digest);
        expect([info?.digest, info?.size]).toEqual([digest, bytes.byteLength]);
      }
    });

    test("does not find an absent mote", async (source) => {
      expect(await source.moteExists(absent)).toBe(false);
      expect(await source.find(absent)).toBe(undefined);
      expect(await errorCodeOf(() => source.moteReader(absent))).toBe("MOTE_NOT_FOUND");
      expect(await errorCodeOf(() => source.moteReaderAt(absent))).toBe("MOTE_NOT_FOUND");
    });

    test("returns a location for an absent mote too", async (source) => {
      expect(typeof source.moteRef(absent)).toBe("string");
    });

    test("reads any range of a mote", async (source) => {
      const { digest, bytes } = large;
      const { byteLength: size } = bytes;
      for (const [start, end] of [
        [0, 1],
        [1, 2],
        [1000, 2_000_000],
        [size - 1, size],
        [size - 10, size + 10],
        [size, size + 1],
      ] as const) {
        expect(sameBytes(await readAll(source, digest, { start, end }), bytes.subarray(start, end))).toBe(true);
      }
      expect(sameBytes(await readAll(source, digest, { start: 5 }), bytes.subarray(5))).toBe(true);
      expect(sameBytes(await readAll(source, digest, { end: 5 }), bytes.subarray(0, 5))).toBe(true);
    });

    test("reads at any position: fewer bytes at the end, and none beyond it", async (source) => {
      const { digest, bytes } = large;
      await using reader = await source.moteReaderAt(digest);
      expect(reader.size).toBe(bytes.byteLength);
      const into = new Uint8Array(1000);
      for (const position of [0, 1, 1_500_000, bytes.byteLength - 1000, bytes.byteLength - 1]) {
        const got = await reader.readAt(into, position);
        expect(got).toBe(Math.min(1000, bytes.byteLength - position));
        expect(sameBytes(into.subarray(0, got), bytes.subarray(position, position + got))).toBe(true);
      }
      expect(await reader.readAt(into, bytes.byteLength)).toBe(0);
      expect(await reader.readAt(into, bytes.byteLength + 1000)).toBe(0);
    });

    test("does not change chunks that were read", async (source) => {
      const chunks: Uint8Array[] = [];
      const copies: Uint8Array[] = [];
      await using reader = await source.moteReader(large.digest);
      for await (const chunk of reader) {
        chunks.push(chunk);
        copies.push(new Uint8Array(chunk));
      }
      expect(chunks.every((chunk, n) => sameBytes(chunk, copies[n] ?? new Uint8Array()))).toBe(true);
    });

    test("does not change a chunk before the next is read, with reuse", async (source) => {
      const { digest, bytes } = large;
      await using reader = await source.moteReader(digest, { reuse: true });
      let at = 0;
      for await (const chunk of reader) {
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve));
        expect(sameBytes(chunk, bytes.subarray(at, at + chunk.byteLength))).toBe(true);
        at += chunk.byteLength;
      }
      expect(at).toBe(bytes.byteLength);
    });

    test("closes a reader before its end, also twice, and rejects further use", async (source) => {
      const reader = await source.moteReader(large.digest);
      for await (const _ of reader) break;
      await reader.close();
      await reader.close();
      expect(await errorCodeOf(() => collect(reader))).toBe("MOTE_CLOSED");
      const readerAt = await source.moteReaderAt(large.digest);
      await readerAt.close();
      await readerAt.close();
      expect(await errorCodeOf(() => readerAt.readAt(new Uint8Array(1), 0))).toBe("MOTE_CLOSED");
    });

    test("reads a reader only once", async (source) => {
      for (const { digest, bytes } of [empty, small, large]) {
        await using reader = await source.moteReader(digest);
        expect(sameBytes(await collect(reader), bytes)).toBe(true);
        expect(await errorCodeOf(() => collect(reader))).toBe("MOTE_CLOSED");
        await reader.close();
        await reader.close();
        await using begun = await source.moteReader(digest);
        const first = begun[Symbol.asyncIterator]();
        await first.next();
        expect(await errorCodeOf(() => collect(begun))).toBe("MOTE_CLOSED");
        await first.return?.();
      }
    });

    test("closes a reader when several callers do so concurrently", async (source) => {
      const reader = await source.moteReader(large.digest);
      const readerAt = await source.moteReaderAt(large.digest);
      await Promise.all([reader.close(), reader.close(), readerAt.close(), readerAt.close()]);
      expect(await errorCodeOf(() => collect(reader))).toBe("MOTE_CLOSED");
    });

    test("rejects ranges and positions that are not byte counts", async (source) => {
      await using readerAt = await source.moteReaderAt(large.digest);
      for (const bad of [-1, 1.5, Number.NaN]) {
        expect(await errorCodeOf(() => readAll(source, large.digest, { start: bad }))).toBe("TypeError");
        expect(await errorCodeOf(() => readAll(source, large.digest, { end: bad }))).toBe("TypeError");
        expect(await errorCodeOf(() => readerAt.readAt(new Uint8Array(10), bad))).toBe("TypeError");
      }
    });

    test("reads nothing from a range that ends before it starts or starts beyond the end", async (source) => {
      const { digest, bytes } = small;
      for (const [start, end] of [
        [10, 10],
        [10, 5],
        [bytes.byteLength, bytes.byteLength + 10],
        [bytes.byteLength + 5, bytes.byteLength + 10],
      ] as const) {
        expect((await readAll(source, digest, { start, end })).byteLength).toBe(0);
      }
      expect((await readAll(source, digest, { start: bytes.byteLength + 5 })).byteLength).toBe(0);
    });

    test("rejects invalid digests at run time", async (source) => {
      for (const method of ["moteExists", "find", "moteReader", "moteReaderAt", "moteRef"] as const) {
        // Without type checks, as from JavaScript.
        const codeOf = (digest: unknown) => errorCodeOf(() => Reflect.apply(source[method], source, [digest]));
        expect(await codeOf("sha256:../../etc/passwd")).toBe("MOTE_INVALID_DIGEST");
        expect(await codeOf("md5:d41d8cd98f00b204e9800998ecf8427e")).toBe("MOTE_UNSUPPORTED_ALGORITHM");
        expect(await codeOf(undefined)).toBe("MOTE_INVALID_DIGEST");
      }
    });

    test("rejects with the reason of the signal when aborted", async (source) => {
      const reason = new RangeError("enough");
      const signal = AbortSignal.abort(reason);
      const methods = ["moteExists", "find", "moteReader", "moteReaderAt"] as const;
      const calls = methods.map((method) => () => source[method](small.digest, { signal }));
      expect(await errorCodesOf(calls)).toEqual(["RangeError"]);
    });

    const { corrupt } = capabilities;
    if (corrupt !== undefined) {
      test("fails to read a damaged mote of any size with MOTE_CORRUPT", async (source) => {
        for (const { digest } of [small, large]) {
          await corrupt(source, digest);
          expect(await errorCodeOf(() => readAll(source, digest))).toBe("MOTE_CORRUPT");
        }
      });
    }
  });
}
