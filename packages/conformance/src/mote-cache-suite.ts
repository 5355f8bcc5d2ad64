import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes, type MoteCache, type MoteInfo, type MoteSource } from "@mote/core";
import { followsTheModel } from "./mote-cache-model.js";
import { moteSourceSuite } from "./mote-source-suite.js";
import { begin, collect, failure, mediaType, put, readAll, type Sample, sameBytes, sample } from "./sample-motes.js";
import type { TestApi } from "./test-api.js";

export interface MoteCacheCapabilities {
  /** Changes some byte of a kept mote, behind the cache's back. Without it, damage is not tested. */
  readonly corrupt?: ((cache: MoteCache, digest: Digest) => Promise<void>) | undefined;
  /** Another cache over the same store, not yet initialised. Without it, reopening is not tested. */
  readonly reopen?: ((cache: MoteCache) => Promise<MoteCache> | MoteCache) | undefined;
  /** False for a cache that keeps nothing, as `NilCache`. Default true. */
  readonly keeps?: boolean | undefined;
}

/**
 * The contract of `MoteCache`, and of what a cache offers beyond it (links, enumeration, verifying, leases, pins) where it does.
 * @param factory makes a fresh, empty cache that is not yet initialised
 */
export function moteCacheSuite(
  testApi: TestApi,
  factory: () => Promise<MoteCache> | MoteCache,
  capabilities: MoteCacheCapabilities = {},
): void {
  const open = async () => {
    const cache = await factory();
    await cache.initialize();
    return cache;
  };
  everyCache(testApi, open);
  if (capabilities.keeps === false) {
    keepsNothing(testApi, open);
    return;
  }
  keepsMotes(testApi, open);
  commitsFiles(testApi, open);
  prunes(testApi, open);
  offersMore(testApi, open, capabilities);
  followsTheModel(testApi, open, capabilities);
  const { corrupt } = capabilities;
  const caches = new WeakMap<MoteSource, MoteCache>();
  moteSourceSuite(
    testApi,
    async (content) => {
      const cache = await open();
      for (const mote of content) await put(cache, mote);
      caches.set(cache, cache);
      return cache;
    },
    corrupt === undefined
      ? {}
      : { corrupt: async (source, digest) => await corrupt(caches.get(source) ?? (await open()), digest) },
  );
}

type Open = () => Promise<MoteCache>;

const small = sample("one", 1000);
const other = sample("another", 2000);
const large = sample("large", 1_500_000);

function everyCache({ describe, it, expect }: TestApi, open: Open): void {
  describe("every mote cache", () => {
    it("is clean after initialize, and again after update", async () => {
      await using cache = await open();
      expect(cache.isDirty()).toBe(false);
      expect(await cache.refresh()).toBe(false);
      await cache.update();
      expect(cache.isDirty()).toBe(false);
    });

    it("is initialised twice without harm", async () => {
      await using cache = await open();
      await cache.initialize();
    });

    it("gives no writer for what was not created first", async () => {
      await using cache = await open();
      expect(await failure(() => cache.moteWriter(small.digest))).toBe("MOTE_NOT_FOUND");
    });

    it("takes each created mote for one writer only", async () => {
      await using cache = await open();
      await put(cache, small);
      expect(await failure(() => cache.moteWriter(small.digest))).toBe("MOTE_NOT_FOUND");
    });

    it("refuses a writer's close when bytes are missing", async () => {
      await using cache = await open();
      for (const { digest, bytes } of [small, large]) {
        const { writer } = await begin(cache, { digest, bytes });
        await writer.write(bytes.subarray(1));
        expect(await failure(() => writer.close())).toBe("MOTE_SIZE_MISMATCH");
        expect(await cache.moteExists(digest)).toBe(false);
      }
    });

    it("refuses a byte too many as soon as it comes", async () => {
      await using cache = await open();
      for (const { digest, bytes } of [small, large]) {
        const { writer } = await begin(cache, { digest, bytes });
        await writer.write(bytes);
        expect(await failure(() => writer.write(new Uint8Array(1)))).toBe("MOTE_SIZE_MISMATCH");
        await writer.abort();
        expect(await cache.moteExists(digest)).toBe(false);
      }
    });

    it("refuses bytes that hash to something else", async () => {
      await using cache = await open();
      for (const { digest, bytes } of [small, large]) {
        const { writer } = await begin(cache, { digest, bytes: bytes.with(7, (bytes[7] ?? 0) ^ 1) });
        await writer.write(bytes.with(7, (bytes[7] ?? 0) ^ 1));
        expect(await failure(() => writer.close())).toBe("MOTE_DIGEST_MISMATCH");
        expect(await cache.moteExists(digest)).toBe(false);
      }
    });

    it("accepts a mote again after a failed write", async () => {
      await using cache = await open();
      const { writer } = await begin(cache, small);
      expect(await failure(() => writer.close())).toBe("MOTE_SIZE_MISMATCH");
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
      expect(await failure(() => closed.write(small.bytes))).toBe("MOTE_CLOSED");
      const { writer: aborted } = await begin(cache, other);
      await aborted.abort();
      await aborted.abort();
      expect(await failure(() => aborted.write(other.bytes))).toBe("MOTE_CLOSED");
      expect(await failure(() => aborted.close())).toBe("MOTE_CLOSED");
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

    it("removes what is absent without complaint", async () => {
      await using cache = await open();
      await cache.removeMote(small.digest);
    });

    it("refuses at run time what is no digest", async () => {
      await using cache = await open();
      const wrong = "sha256:ABC";
      for (const call of [
        () => Reflect.apply(cache.createMote, cache, [wrong, mediaType]),
        () => Reflect.apply(cache.moteWriter, cache, [wrong]),
        () => Reflect.apply(cache.removeMote, cache, [wrong]),
        () => Reflect.apply(cache.commitMote, cache, ["/nowhere", { digest: wrong, mediaType }, "copy"]),
      ]) {
        expect(await failure(call)).toBe("MOTE_INVALID_DIGEST");
      }
    });
  });
}

function keepsNothing({ describe, it, expect }: TestApi, open: Open): void {
  describe("a cache that keeps nothing", () => {
    it("does not find what was written to it", async () => {
      await using cache = await open();
      await put(cache, small);
      expect(await cache.moteExists(small.digest)).toBe(false);
      expect(await cache.find(small.digest)).toBe(undefined);
      expect(await failure(() => cache.moteReader(small.digest))).toBe("MOTE_NOT_FOUND");
      expect(await failure(() => cache.moteReaderAt(small.digest))).toBe("MOTE_NOT_FOUND");
    });

    it("has nothing to prune", async () => {
      await using cache = await open();
      await put(cache, small);
      const report = await cache.prune(0);
      expect([report.removed.length, report.remainingBytes, report.reached]).toEqual([0, 0, true]);
    });
  });
}

function keepsMotes({ describe, it, expect }: TestApi, open: Open): void {
  describe("a mote cache that keeps", () => {
    it("does not show a mote before its writer has closed", async () => {
      await using cache = await open();
      for (const mote of [small, large]) {
        const { writer } = await begin(cache, mote);
        expect(await cache.moteExists(mote.digest)).toBe(false);
        await writer.write(mote.bytes);
        expect(await cache.moteExists(mote.digest)).toBe(false);
        expect(await cache.find(mote.digest)).toBe(undefined);
        expect(await failure(() => cache.moteReader(mote.digest))).toBe("MOTE_NOT_FOUND");
        await writer.close();
        expect(await cache.moteExists(mote.digest)).toBe(true);
      }
    });

    it("takes bytes in pieces of any size", async () => {
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

    it("lets the caller use his buffer again after a write", async () => {
      await using cache = await open();
      for (const { digest, bytes } of [small, large]) {
        const { writer } = await begin(cache, { digest, bytes });
        const buffer = new Uint8Array(100_000);
        for (let at = 0; at < bytes.byteLength; at += buffer.byteLength) {
          const piece = bytes.subarray(at, at + buffer.byteLength);
          buffer.set(piece);
          await writer.write(buffer.subarray(0, piece.byteLength));
          buffer.fill(255);
        }
        await writer.close();
        expect(sameBytes(await readAll(cache, digest), bytes)).toBe(true);
      }
    });

    it("does not let two pending motes of one digest disturb each other", async () => {
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

    it("checks size and digest also of a writer of what is there already", async () => {
      await using cache = await open();
      for (const mote of [small, large]) {
        await put(cache, mote);
        const short = await begin(cache, mote);
        await short.writer.write(mote.bytes.subarray(1));
        expect(await failure(() => short.writer.close())).toBe("MOTE_SIZE_MISMATCH");
        const wrong = await begin(cache, mote);
        await wrong.writer.write(mote.bytes.with(0, (mote.bytes[0] ?? 0) ^ 1));
        expect(await failure(() => wrong.writer.close())).toBe("MOTE_DIGEST_MISMATCH");
        expect(sameBytes(await readAll(cache, mote.digest), mote.bytes)).toBe(true);
      }
    });

    it("keeps motes of every algorithm", async () => {
      await using cache = await open();
      for (const algorithm of ["sha256", "sha384", "sha512"] as const) {
        const digest = digestBytes(small.bytes, algorithm);
        await put(cache, { digest, bytes: small.bytes });
        expect(sameBytes(await readAll(cache, digest), small.bytes)).toBe(true);
      }
    });

    it("does not find a mote that was removed, and takes it again", async () => {
      await using cache = await open();
      await put(cache, small);
      await cache.removeMote(small.digest);
      expect(await cache.moteExists(small.digest)).toBe(false);
      await put(cache, small);
      expect(await cache.moteExists(small.digest)).toBe(true);
    });

    it("lets what was opened be read to its end, removed or pruned meanwhile", async () => {
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

    it("is used no more after it was disposed of", async () => {
      const cache = await open();
      await put(cache, small);
      await cache[Symbol.asyncDispose]();
      await cache[Symbol.asyncDispose]();
      expect(await failure(() => cache.moteExists(small.digest))).toBe("MOTE_CLOSED");
      expect(await failure(() => cache.find(small.digest))).toBe("MOTE_CLOSED");
      expect(await failure(() => cache.moteReader(small.digest))).toBe("MOTE_CLOSED");
      expect(await failure(() => cache.createMote(other.digest, mediaType))).toBe("MOTE_CLOSED");
      expect(await failure(() => cache.prune(0))).toBe("MOTE_CLOSED");
    });

    it("refuses sizes and ranges that are no numbers of bytes", async () => {
      await using cache = await open();
      await put(cache, small);
      for (const size of [-1, 1.5, Number.NaN]) {
        expect(await failure(() => cache.createMote(other.digest, mediaType, size))).toBe("TypeError");
        expect(await failure(() => cache.moteReader(small.digest, { start: size }))).toBe("TypeError");
      }
    });
  });
}

function commitsFiles({ describe, it, expect }: TestApi, open: Open): void {
  const withFile = async (bytes: Uint8Array, use: (path: string, cache: MoteCache) => Promise<void>) => {
    const folder = await mkdtemp(join(tmpdir(), "mote-suite-"));
    try {
      const path = join(folder, "file");
      await writeFile(path, bytes);
      await using cache = await open();
      await use(path, cache);
    } finally {
      await rm(folder, { recursive: true });
    }
  };
  const exists = async (path: string) =>
    await stat(path).then(
      () => true,
      () => false,
    );

  describe("commitMote", () => {
    it("keeps the source of a copy and takes the source of a move", async () => {
      for (const { digest, bytes } of [small, large]) {
        for (const mode of ["copy", "move"] as const) {
          await withFile(bytes, async (path, cache) => {
            await cache.commitMote(path, await cache.createMote(digest, mediaType, bytes.byteLength), mode);
            expect(sameBytes(await readAll(cache, digest), bytes)).toBe(true);
            expect(await exists(path)).toBe(mode === "copy");
          });
        }
      }
    });

    it("has nothing to do where the mote is there already, and a move takes the source all the same", async () => {
      for (const mode of ["copy", "move"] as const) {
        await withFile(small.bytes, async (path, cache) => {
          await put(cache, small);
          await cache.commitMote(path, { digest: small.digest, mediaType }, mode);
          expect(await exists(path)).toBe(mode === "copy");
          expect(sameBytes(await readAll(cache, small.digest), small.bytes)).toBe(true);
        });
      }
    });

    it("refuses a source of another size or digest, and leaves it", async () => {
      for (const mode of ["copy", "move"] as const) {
        await withFile(other.bytes, async (path, cache) => {
          const { digest } = small;
          const ofSize = (size?: number) => ({ digest, mediaType, ...(size === undefined ? {} : { size }) });
          expect(await failure(() => cache.commitMote(path, ofSize(7), mode))).toBe("MOTE_SIZE_MISMATCH");
          expect(await failure(() => cache.commitMote(path, ofSize(), mode))).toBe("MOTE_DIGEST_MISMATCH");
          expect(sameBytes(await readFile(path), other.bytes)).toBe(true);
          expect(await cache.moteExists(digest)).toBe(false);
        });
      }
    });

    it("does not take a source that is something else for a mote that is there", async () => {
      await withFile(other.bytes, async (path, cache) => {
        await put(cache, small);
        expect(await failure(() => cache.commitMote(path, { digest: small.digest, mediaType }, "move"))).toBe(
          "MOTE_DIGEST_MISMATCH",
        );
        expect(await exists(path)).toBe(true);
      });
    });

    it("says that there is no such file", async () => {
      await using cache = await open();
      for (const mode of ["copy", "move"] as const) {
        expect(
          await failure(() => cache.commitMote("/nowhere/at/all", { digest: small.digest, mediaType }, mode)),
        ).toBe("MOTE_NOT_FOUND");
      }
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

function prunes({ describe, it, expect }: TestApi, open: Open): void {
  const three = ["a", "b", "c"].map((name) => sample(name, 1000));
  const sizes = async (cache: MoteCache) => {
    let total = 0;
    for (const { digest } of three) total += (await cache.find(digest))?.size ?? 0;
    return total;
  };

  describe("prune", () => {
    it("removes no more than it takes to be at most as large as asked", async () => {
      for (const [maxSize, left] of [
        [3000, 3000],
        [2999, 2000],
        [2000, 2000],
        [1, 0],
        [0, 0],
      ] as const) {
        await using cache = await open();
        for (const mote of three) await put(cache, mote);
        const report = await cache.prune(maxSize);
        expect(report.reached).toBe(true);
        expect(report.remainingBytes).toBe(left);
        expect(report.removedBytes).toBe(3000 - left);
        expect(report.removed.length).toBe((3000 - left) / 1000);
        expect(await sizes(cache)).toBe(left);
      }
    });

    it("removes nothing in a dry run, and says what it would remove", async () => {
      await using cache = await open();
      for (const mote of three) await put(cache, mote);
      const report = await cache.prune(1000, { dryRun: true });
      expect([report.dryRun, report.reached, report.removedBytes, report.remainingBytes]).toEqual([
        true,
        true,
        2000,
        1000,
      ]);
      expect(await sizes(cache)).toBe(3000);
    });

    it("keeps what is younger than minAgeMs, and says that the size was not reached", async () => {
      await using cache = await open();
      for (const mote of three) await put(cache, mote);
      const report = await cache.prune(0, { minAgeMs: 3_600_000 });
      expect([report.reached, report.remainingBytes]).toEqual([false, 3000]);
    });

    it("refuses a size that is no number from 0", async () => {
      await using cache = await open();
      for (const size of [-1, Number.NaN]) expect(await failure(() => cache.prune(size))).toBe("TypeError");
    });
  });
}

function offersMore({ describe, it, expect }: TestApi, open: Open, { corrupt }: MoteCacheCapabilities): void {
  describe("what a cache may offer beyond the contract", () => {
    it("motes lists exactly what is kept", async () => {
      await using cache = await open();
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

    it("linkTo places a mote at a path, over what is there, and not what is absent", async () => {
      await using cache = await open();
      if (cache.linkTo === undefined) return;
      const folder = await mkdtemp(join(tmpdir(), "mote-suite-"));
      try {
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
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    if (corrupt !== undefined) {
      it("a damaged mote is set aside by who finds it, and can be written anew", async () => {
        const folder = await mkdtemp(join(tmpdir(), "mote-suite-"));
        try {
          for (const mote of [small, large]) {
            await using cache = await open();
            const find: (() => Promise<unknown>)[] = [() => readAll(cache, mote.digest)];
            if (cache.linkTo !== undefined)
              find.push(async () => await cache.linkTo?.(mote.digest, join(folder, "target")));
            for (const touch of find) {
              await put(cache, mote);
              await corrupt(cache, mote.digest);
              expect(await failure(touch)).toBe("MOTE_CORRUPT");
              expect(await cache.moteExists(mote.digest)).toBe(false);
              await put(cache, mote);
              expect(sameBytes(await readAll(cache, mote.digest), mote.bytes)).toBe(true);
            }
          }
        } finally {
          await rm(folder, { recursive: true });
        }
      });

      it("verify finds what is damaged, and nothing else", async () => {
        await using cache = await open();
        if (cache.verify === undefined) return;
        for (const mote of [small, other, large]) await put(cache, mote);
        expect((await cache.verify()).damaged).toEqual([]);
        await corrupt(cache, other.digest);
        const report = await cache.verify();
        expect(report.damaged.map(({ digest }) => digest)).toEqual([other.digest]);
        expect(report.motes).toBe(3);
        expect(await cache.moteExists(other.digest)).toBe(false);
        expect(await cache.moteExists(small.digest)).toBe(true);
      });
    }

    it("resumeMote goes on after the bytes that a suspended writer left", async () => {
      await using cache = await open();
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

    it("resumeMote refuses what does not hash to the digest in the end, and begins anew after that", async () => {
      await using cache = await open();
      if (cache.resumeMote === undefined) return;
      const { digest, bytes } = large;
      const mote = { digest, mediaType, size: bytes.byteLength };
      const first = await cache.resumeMote(mote);
      await first.write(new Uint8Array(1000));
      await first.suspend();
      const second = await cache.resumeMote(mote);
      await second.write(bytes.subarray(second.offset));
      expect(await failure(() => second.close())).toBe("MOTE_DIGEST_MISMATCH");
      const third = await cache.resumeMote(mote);
      expect(third.offset).toBe(0);
      await third.abort();
    });

    it("one of several leads, the others follow it to the end, and nobody leads what is there", async () => {
      await using cache = await open();
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

    it("a follower is told that its writer gave up", async () => {
      await using cache = await open();
      if (cache.leadMote === undefined || cache.followMote === undefined) return;
      const { digest, bytes } = large;
      const writer = await cache.leadMote({ digest, mediaType, size: bytes.byteLength });
      await writer?.write(bytes.subarray(0, 700_000));
      const follower = await cache.followMote(digest);
      const ended = failure(() => collect(follower ?? none()));
      await writer?.abort();
      expect(await ended).toBe("MOTE_WRITER_GONE");
    });

    it("prune leaves what is leased or pinned, and says so", async () => {
      await using cache = await open();
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

    it("tags are set, moved, listed in order and taken away", async () => {
      await using cache = await open();
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
        expect(await failure(() => tags.tag(name, descriptor(small)))).toBe("MOTE_INVALID_NAME");
      }
    });
  });
}

async function* none(): AsyncGenerator<Uint8Array> {}
