import { digestBytes, type MoteCache, readMote, type Uploads } from "@mote/core";
import { errorCodeOf, errorCodesOf } from "./sample-motes.js";
import type { TestApi } from "./test-api.js";

export interface UploadsCapabilities {
  /** Opens another object over the same store, as another process or a restart would. Without it, sharing is not tested. */
  readonly reopen?: ((cache: UploadCache) => Promise<UploadCache> | UploadCache) | undefined;
}

/** A cache that receives uploads. */
export type UploadCache = MoteCache & { readonly uploads: Uploads };

const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 31) % 251);
const digest = digestBytes(bytes);
const repository = "library/app";

/**
 * Defines tests of the contract of `Uploads`.
 * @param factory creates an empty cache
 */
export function uploadsSuite(
  { describe, it, expect }: TestApi,
  factory: () => Promise<UploadCache> | UploadCache,
  { reopen }: UploadsCapabilities = {},
): void {
  const stored = async (cache: UploadCache) =>
    digestBytes(await readMote(cache, digest, { maxBytes: bytes.byteLength }));
  const test = (name: string, body: (uploads: Uploads, cache: UploadCache) => Promise<void>) =>
    it(name, async () => {
      const cache = await factory();
      await body(cache.uploads, cache);
    });

  describe("uploads", () => {
    test("stores what was appended in several calls, and ends the upload", async (uploads, cache) => {
      const { id, offset } = await uploads.begin(repository);
      expect(offset).toBe(0);
      expect(await uploads.status(repository, id)).toEqual({ id, offset: 0 });
      expect(await uploads.append(repository, id, [bytes.subarray(0, 10)])).toEqual({ id, offset: 10 });
      const more = [bytes.subarray(10, 5000), bytes.subarray(5000, 200_000)];
      expect(await uploads.append(repository, id, more, { offset: 10 })).toEqual({ id, offset: 200_000 });
      await uploads.append(repository, id, [bytes.subarray(200_000)], { offset: 200_000 });
      expect(await cache.moteExists(digest)).toBe(false);
      expect((await uploads.finish(repository, id, digest)).size).toBe(bytes.byteLength);
      expect(await stored(cache)).toBe(digest);
      expect(await uploads.status(repository, id)).toBe(undefined);
      expect(await errorCodeOf(() => uploads.finish(repository, id, digest))).toBe("MOTE_NOT_FOUND");
    });

    test("stores an empty blob, and blobs with digests of other algorithms", async (uploads, cache) => {
      const { id } = await uploads.begin(repository);
      const empty = digestBytes(new Uint8Array());
      expect((await uploads.finish(repository, id, empty)).size).toBe(0);
      expect(await cache.moteExists(empty)).toBe(true);
      for (const algorithm of ["sha512", undefined] as const) {
        const long = digestBytes(bytes, "sha512");
        const other = await uploads.begin(repository, { algorithm });
        await uploads.append(repository, other.id, [bytes]);
        expect((await uploads.finish(repository, other.id, long)).digest).toBe(long);
      }
    });

    test("rejects bytes that do not match the digest, and discards them", async (uploads, cache) => {
      const { id } = await uploads.begin(repository);
      await uploads.append(repository, id, [bytes.subarray(1)]);
      expect(await errorCodeOf(() => uploads.finish(repository, id, digest))).toBe("MOTE_DIGEST_MISMATCH");
      expect(await cache.moteExists(digest)).toBe(false);
      expect(await uploads.status(repository, id)).toBe(undefined);
    });

    test("keeps the bytes if finishing is aborted", async (uploads, cache) => {
      const { id } = await uploads.begin(repository);
      await uploads.append(repository, id, [bytes]);
      const signal = AbortSignal.abort(new RangeError("enough"));
      expect(await errorCodeOf(() => uploads.finish(repository, id, digest, { signal }))).toBe("RangeError");
      await uploads.finish(repository, id, digest);
      expect(await stored(cache)).toBe(digest);
    });

    test("rejects bytes at another offset than the end, and keeps what it has", async (uploads) => {
      const { id } = await uploads.begin(repository);
      await uploads.append(repository, id, [bytes.subarray(0, 100)]);
      for (const offset of [0, 99, 101]) {
        const append = () => uploads.append(repository, id, [bytes], { offset });
        expect(await errorCodeOf(append)).toBe("MOTE_OFFSET_MISMATCH");
      }
      expect(await uploads.status(repository, id)).toEqual({ id, offset: 100 });
    });

    test("keeps the bytes that arrived before a source failed, and continues after them", async (uploads, cache) => {
      const { id } = await uploads.begin(repository);
      const cut = async function* () {
        yield bytes.subarray(0, 70_000);
        throw new RangeError("cut");
      };
      expect(await errorCodeOf(() => uploads.append(repository, id, cut()))).toBe("RangeError");
      expect(await uploads.status(repository, id)).toEqual({ id, offset: 70_000 });
      await uploads.append(repository, id, [bytes.subarray(70_000)], { offset: 70_000 });
      await uploads.finish(repository, id, digest);
      expect(await stored(cache)).toBe(digest);
    });

    test("rejects a second writer of one upload while the first one writes", async (uploads) => {
      const { id } = await uploads.begin(repository);
      const calls = [
        () => uploads.append(repository, id, [bytes]),
        () => uploads.finish(repository, id, digest),
        () => uploads.cancel(repository, id),
      ];
      let others: unknown;
      const slow = async function* () {
        yield bytes.subarray(0, 5);
        others = await errorCodesOf(calls);
      };
      await uploads.append(repository, id, slow());
      expect(others).toEqual(["MOTE_IN_USE"]);
      expect(await uploads.status(repository, id)).toEqual({ id, offset: 5 });
    });

    test("treats an upload as missing in other repositories, and ids that are not its own", async (uploads) => {
      const { id } = await uploads.begin(repository);
      const hostile = ["", ".", "..", "../../x", `${id}/`, `${id}.`, id.toUpperCase(), "a".repeat(5000), "\0", "*"];
      for (const [name, other] of [
        ["library/other", id] as const,
        ...hostile.map((each) => [repository, each] as const),
      ]) {
        expect(await uploads.status(name, other)).toBe(undefined);
        expect(await errorCodeOf(() => uploads.append(name, other, [bytes]))).toBe("MOTE_NOT_FOUND");
        expect(await errorCodeOf(() => uploads.finish(name, other, digest))).toBe("MOTE_NOT_FOUND");
        expect(await uploads.cancel(name, other)).toBe(false);
      }
      expect(await uploads.status(repository, id)).toEqual({ id, offset: 0 });
      for (const name of ["", "..", "a/../b", "UPPER"])
        expect(await errorCodeOf(() => uploads.begin(name))).toBe("MOTE_INVALID_NAME");
      expect(await errorCodeOf(() => uploads.finish(repository, id, "sha256:../x" as never))).toBe(
        "MOTE_INVALID_DIGEST",
      );
    });

    test("discards cancelled and expired uploads", async (uploads) => {
      const [one, other] = [await uploads.begin(repository), await uploads.begin(repository)];
      await uploads.append(repository, one.id, [bytes]);
      expect(await uploads.cancel(repository, one.id)).toBe(true);
      expect(await uploads.cancel(repository, one.id)).toBe(false);
      expect(await uploads.expire()).toBe(0);
      expect(await uploads.expire({ maxAgeMs: -1 })).toBe(1);
      expect(await uploads.status(repository, other.id)).toBe(undefined);
    });

    test("receives many uploads at once", async (uploads) => {
      const blobs = Array.from({ length: 20 }, (_, at) => bytes.subarray(at));
      const upload = async (blob: Uint8Array) => {
        const { id } = await uploads.begin(repository);
        await uploads.append(repository, id, [blob.subarray(0, 1000)]);
        await uploads.append(repository, id, [blob.subarray(1000)], { offset: 1000 });
        return uploads.finish(repository, id, digestBytes(blob));
      };
      const infos = await Promise.all(blobs.map(upload));
      expect(infos.map(({ size }) => size)).toEqual(blobs.map(({ byteLength }) => byteLength));
    });

    if (reopen !== undefined) {
      test("continues an upload in other objects over the same store", async (uploads, cache) => {
        const others = [cache, await reopen(cache), await reopen(cache)] as const;
        const { id } = await uploads.begin(repository);
        for (let offset = 0; offset < bytes.byteLength; offset += 50_000) {
          const { uploads } = others[(offset / 50_000) % 3] ?? cache;
          expect(await uploads.status(repository, id)).toEqual({ id, offset });
          await uploads.append(repository, id, [bytes.subarray(offset, offset + 50_000)], { offset });
        }
        await others[1].uploads.finish(repository, id, digest);
        expect(await stored(cache)).toBe(digest);
      });

      test("rejects a second writer in another object over the same store", async (uploads, cache) => {
        const other = await reopen(cache);
        const { id } = await uploads.begin(repository);
        let found: unknown;
        const slow = async function* () {
          yield bytes.subarray(0, 5);
          found = await errorCodeOf(() => other.uploads.append(repository, id, [bytes]));
        };
        await uploads.append(repository, id, slow());
        expect(found).toBe("MOTE_IN_USE");
      });
    }
  });
}
