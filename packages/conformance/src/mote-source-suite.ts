import { digestBytes, type MoteSource } from "@mote/core";
import { collect, errorCodeOf, readAll, type Sample, sameBytes, sample } from "./sample-motes.js";
import type { TestApi } from "./test-api.js";

export interface MoteSourceCapabilities {
  /** Changes some byte of what is stored, behind the source's back. Without it, damage is not tested. */
  readonly corrupt?: ((source: MoteSource, digest: Sample["digest"]) => Promise<void>) | undefined;
}

/**
 * The contract of `MoteSource`, the reading half of a cache.
 * @param factory makes a source that holds exactly `content`
 */
export function moteSourceSuite(
  { describe, it, expect }: TestApi,
  factory: (content: readonly Sample[]) => Promise<MoteSource> | MoteSource,
  capabilities: MoteSourceCapabilities = {},
): void {
  const empty = sample("empty", 0);
  const small = sample("small", 4000);
  const large = sample("large", 3_000_001);
  const absent = digestBytes(new TextEncoder().encode("nobody has this"));
  const withContent = async (use: (source: MoteSource) => Promise<void>) => {
    const source = await factory([empty, small, large]);
    try {
      await use(source);
    } finally {
      await dispose(source);
    }
  };

  describe("a mote source", () => {
    it("gives every mote back byte for byte", () =>
      withContent(async (source) => {
        for (const { digest, bytes } of [empty, small, large]) {
          expect(sameBytes(await readAll(source, digest), bytes)).toBe(true);
        }
      }));

    it("says of what it has that it exists, and how large it is", () =>
      withContent(async (source) => {
        for (const { digest, bytes } of [empty, small, large]) {
          expect(await source.moteExists(digest)).toBe(true);
          const info = await source.find(digest);
          expect([info?.digest, info?.size]).toEqual([digest, bytes.byteLength]);
        }
      }));

    it("says of what it does not have that it is not found", () =>
      withContent(async (source) => {
        expect(await source.moteExists(absent)).toBe(false);
        expect(await source.find(absent)).toBe(undefined);
        expect(await errorCodeOf(() => source.moteReader(absent))).toBe("MOTE_NOT_FOUND");
        expect(await errorCodeOf(() => source.moteReaderAt(absent))).toBe("MOTE_NOT_FOUND");
      }));

    it("names a place also for what it does not have", () =>
      withContent(async (source) => {
        expect(typeof source.moteRef(absent)).toBe("string");
      }));

    it("reads any part of a mote", () =>
      withContent(async (source) => {
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
      }));

    it("reads at any position, fewer bytes at the end and none past it", () =>
      withContent(async (source) => {
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
      }));

    it("lets the caller keep the chunks that it reads", () =>
      withContent(async (source) => {
        const kept: Uint8Array[] = [];
        const copies: Uint8Array[] = [];
        await using reader = await source.moteReader(large.digest);
        for await (const chunk of reader) {
          kept.push(chunk);
          copies.push(chunk.slice());
        }
        expect(kept.every((chunk, n) => sameBytes(chunk, copies[n] ?? new Uint8Array()))).toBe(true);
      }));

    it("leaves a chunk as it is until the next is asked for, where its memory may be used again", () =>
      withContent(async (source) => {
        const { digest, bytes } = large;
        await using reader = await source.moteReader(digest, { reuse: true });
        let at = 0;
        for await (const chunk of reader) {
          for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve));
          expect(sameBytes(chunk, bytes.subarray(at, at + chunk.byteLength))).toBe(true);
          at += chunk.byteLength;
        }
        expect(at).toBe(bytes.byteLength);
      }));

    it("lets a reader be closed before its end, twice, and not be used after", () =>
      withContent(async (source) => {
        const reader = await source.moteReader(large.digest);
        for await (const _ of reader) break;
        await reader.close();
        await reader.close();
        expect(
          await errorCodeOf(async () => {
            for await (const _ of reader);
          }),
        ).toBe("MOTE_CLOSED");
        const readerAt = await source.moteReaderAt(large.digest);
        await readerAt.close();
        await readerAt.close();
        expect(await errorCodeOf(() => readerAt.readAt(new Uint8Array(1), 0))).toBe("MOTE_CLOSED");
      }));

    it("lets a reader be read once", () =>
      withContent(async (source) => {
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
      }));

    it("lets a reader be closed by several callers at once", () =>
      withContent(async (source) => {
        const reader = await source.moteReader(large.digest);
        const readerAt = await source.moteReaderAt(large.digest);
        await Promise.all([reader.close(), reader.close(), readerAt.close(), readerAt.close()]);
        expect(await errorCodeOf(() => collect(reader))).toBe("MOTE_CLOSED");
      }));

    it("refuses ranges and positions that are not numbers of bytes", () =>
      withContent(async (source) => {
        await using readerAt = await source.moteReaderAt(large.digest);
        for (const bad of [-1, 1.5, Number.NaN]) {
          expect(await errorCodeOf(() => readAll(source, large.digest, { start: bad }))).toBe("TypeError");
          expect(await errorCodeOf(() => readAll(source, large.digest, { end: bad }))).toBe("TypeError");
          expect(await errorCodeOf(() => readerAt.readAt(new Uint8Array(10), bad))).toBe("TypeError");
        }
      }));

    it("reads nothing of a range that ends before it starts, or starts past the end", () =>
      withContent(async (source) => {
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
      }));

    it("refuses at run time what is not a digest", () =>
      withContent(async (source) => {
        for (const method of ["moteExists", "find", "moteReader", "moteReaderAt", "moteRef"] as const) {
          expect(await errorCodeOf(() => untyped(source, method)("sha256:../../etc/passwd"))).toBe(
            "MOTE_INVALID_DIGEST",
          );
          expect(await errorCodeOf(() => untyped(source, method)("md5:d41d8cd98f00b204e9800998ecf8427e"))).toBe(
            "MOTE_UNSUPPORTED_ALGORITHM",
          );
          expect(await errorCodeOf(() => untyped(source, method)(undefined))).toBe("MOTE_INVALID_DIGEST");
        }
      }));

    it("rejects with the signal's own reason when aborted", () =>
      withContent(async (source) => {
        const reason = new RangeError("enough");
        const signal = AbortSignal.abort(reason);
        expect(await errorCodeOf(() => source.moteExists(small.digest, { signal }))).toBe("RangeError");
        expect(await errorCodeOf(() => source.find(small.digest, { signal }))).toBe("RangeError");
        expect(await errorCodeOf(() => source.moteReader(small.digest, { signal }))).toBe("RangeError");
        expect(await errorCodeOf(() => source.moteReaderAt(small.digest, { signal }))).toBe("RangeError");
      }));

    const { corrupt } = capabilities;
    if (corrupt !== undefined) {
      it("ends the read of a damaged mote in MOTE_CORRUPT, whatever its size", () =>
        withContent(async (source) => {
          for (const { digest } of [small, large]) {
            await corrupt(source, digest);
            expect(await errorCodeOf(() => readAll(source, digest))).toBe("MOTE_CORRUPT");
          }
        }));
    }
  });
}

async function dispose(source: MoteSource & Partial<AsyncDisposable>): Promise<void> {
  await source[Symbol.asyncDispose]?.();
}

type Reading = "moteExists" | "find" | "moteReader" | "moteReaderAt" | "moteRef";

/** The method as plain JavaScript calls it. */
function untyped(source: MoteSource, method: Reading): (digest: unknown) => unknown {
  return (digest) => Reflect.apply(source[method], source, [digest]);
}
