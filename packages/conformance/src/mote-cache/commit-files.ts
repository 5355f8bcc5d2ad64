import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CommitMode, Digest, Mote, MoteCache } from "@mote/core";
import { errorCodeOf, large, mediaType, other, put, readAll, sameBytes, small, withFolder } from "../sample-motes.js";
import type { CacheTests } from "./cache-tests.js";

/** Tests `commitMote`, which stores an existing file. */
export function commitsFiles({ describe, it, expect, open, test }: CacheTests): void {
  const withFile = (bytes: Uint8Array, use: (path: string, cache: MoteCache) => Promise<void>) =>
    withFolder(async (folder) => {
      const path = join(folder, "file");
      await writeFile(path, bytes);
      await using cache = await open();
      await use(path, cache);
    });

  describe("commitMote", () => {
    it("copies a file, or moves it", async () => {
      for (const { digest, bytes } of [small, large]) {
        for (const mode of ["copy", "move"] as const) {
          await withFile(bytes, async (path, cache) => {
            await cache.commitMote(path, await cache.createMote(digest, mediaType, bytes.byteLength), mode);
            expect(sameBytes(await readAll(cache, digest), bytes)).toBe(true);
            expect(existsSync(path)).toBe(mode === "copy");
          });
        }
      }
    });

    it("succeeds if the mote is stored already, and removes the source of a move", async () => {
      for (const mode of ["copy", "move"] as const) {
        await withFile(small.bytes, async (path, cache) => {
          await put(cache, small);
          await cache.commitMote(path, { digest: small.digest, mediaType }, mode);
          expect(existsSync(path)).toBe(mode === "copy");
          expect(sameBytes(await readAll(cache, small.digest), small.bytes)).toBe(true);
        });
      }
    });

    it("rejects a file of another size or digest, and does not remove it", async () => {
      for (const mode of ["copy", "move"] as const) {
        await withFile(other.bytes, async (path, cache) => {
          const { digest } = small;
          const ofSize = (size?: number) => ({ digest, mediaType, ...(size === undefined ? {} : { size }) });
          expect(await errorCodeOf(() => cache.commitMote(path, ofSize(7), mode))).toBe("MOTE_SIZE_MISMATCH");
          expect(await errorCodeOf(() => cache.commitMote(path, ofSize(), mode))).toBe("MOTE_DIGEST_MISMATCH");
          expect(sameBytes(await readFile(path), other.bytes)).toBe(true);
          expect(await cache.moteExists(digest)).toBe(false);
        });
      }
    });

    it("rejects a file with another digest than that of a stored mote, and does not remove it", async () => {
      await withFile(other.bytes, async (path, cache) => {
        await put(cache, small);
        expect(await errorCodeOf(() => cache.commitMote(path, { digest: small.digest, mediaType }, "move"))).toBe(
          "MOTE_DIGEST_MISMATCH",
        );
        expect(existsSync(path)).toBe(true);
      });
    });

    test("fails with MOTE_NOT_FOUND if the file does not exist", async (cache) => {
      for (const mode of ["copy", "move"] as const) {
        expect(
          await errorCodeOf(() => cache.commitMote("/nowhere/at/all", { digest: small.digest, mediaType }, mode)),
        ).toBe("MOTE_NOT_FOUND");
      }
    });

    it("checks first the arguments, then the file, its size, and last its digest", async () => {
      await withFile(other.bytes, async (path, cache) => {
        const invalid = { digest: "sha256:ABC" as Digest, mediaType, size: -1 };
        const wrong = { digest: small.digest, mediaType, size: 7 };
        const mode = "copied" as CommitMode;
        const signal = AbortSignal.abort(new RangeError("enough"));
        const commit = (source: string, mote: Mote, how: CommitMode = "move", options = {}) =>
          errorCodeOf(() => cache.commitMote(source, mote, how, options));
        expect(await commit(`${path}-absent`, invalid)).toBe("MOTE_INVALID_DIGEST");
        expect(await commit(`${path}-absent`, wrong, mode)).toBe("TypeError");
        expect(await commit(`${path}-absent`, wrong, "move", { signal })).toBe("RangeError");
        expect(await commit(`${path}-absent`, wrong)).toBe("MOTE_NOT_FOUND");
        expect(await commit(path, wrong)).toBe("MOTE_SIZE_MISMATCH");
        expect(await commit(path, { ...wrong, size: other.bytes.byteLength })).toBe("MOTE_DIGEST_MISMATCH");
        expect(sameBytes(await readFile(path), other.bytes)).toBe(true);
        await cache[Symbol.asyncDispose]();
        expect(await commit(`${path}-absent`, wrong)).toBe("MOTE_CLOSED");
      });
    });

    it("keeps its copy when the source of a copy is changed afterwards", async () => {
      await withFile(large.bytes, async (path, cache) => {
        await cache.commitMote(path, { digest: large.digest, mediaType }, "copy");
        await writeFile(path, "something else");
        expect(sameBytes(await readAll(cache, large.digest), large.bytes)).toBe(true);
      });
    });
  });
}
