import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, MoteError } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { put } from "../../test/image.js";
import { FileCache } from "../index.js";
import { notedBytes } from "./linked-notes.js";

const mediaType = "application/octet-stream";
let folder: string;
let cache: FileCache;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "mote-stamp-"));
  cache = new FileCache(join(folder, "cache"));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await cache[Symbol.asyncDispose]();
  fs.rmSync(folder, { recursive: true });
});

const isRoot = process.getuid?.() === 0;
const sizes = { small: 5000, "of several chunks": 3_000_000 };
const contentOf = (size: number) => new Uint8Array(size).map((_, n) => (n * 13) ^ (n >> 9));
const failure = async (work: Promise<unknown>) =>
  await work.then(
    () => "none",
    (error: unknown) => (MoteError.isInstance(error) ? error.code : String(error)),
  );
const isVerified = async () => {
  for await (const mote of cache.motes()) return mote.isVerified;
  return undefined;
};
/** Overwrites one byte: the inode and the size stay the same. */
function change(path: string): void {
  fs.chmodSync(path, 0o644);
  const fd = fs.openSync(path, "r+");
  fs.writeSync(fd, "!", 17);
  fs.closeSync(fd);
  fs.chmodSync(path, 0o444);
}
/** Changes a file and restores its times, as `touch -r` and backup tools do. */
function changeKeepingTimes(path: string, atime?: Date): void {
  const before = fs.statSync(path);
  change(path);
  fs.utimesSync(path, atime ?? before.atimeMs / 1000, before.mtimeMs / 1000);
}

for (const [name, size] of Object.entries(sizes)) {
  const bytes = contentOf(size);
  const digest = digestBytes(bytes);
  const out = (path: string) => join(folder, path);

  describe(`a blob (${name}) that was linked out`, () => {
    beforeEach(async () => {
      await put(cache, bytes, mediaType);
      expect(await isVerified()).toBe(true);
      await cache.linkTo(digest, out("one"));
      // On other file systems, a reflink is used.
      expect(fs.statSync(out("one")).nlink).toBe(2);
    });

    it("is linked again to the same file", async () => {
      // Only large blobs have a note, which shows that the blob has not changed.
      const isNoted = size > notedBytes;
      expect(await isVerified()).toBe(isNoted);
      for (const target of ["two", "three"]) expect(await cache.linkTo(digest, out(target))).toBe(true);
      expect(fs.readFileSync(out("three")).equals(bytes)).toBe(true);
      expect(fs.statSync(cache.moteRef(digest)).nlink).toBe(4);
      await cache.verify();
      expect(await isVerified()).toBe(isNoted);
    });

    it("is not considered verified after one of its links was removed, until it is hashed", async () => {
      await cache.linkTo(digest, out("two"));
      fs.rmSync(out("one"));
      expect(await isVerified()).toBe(false);
      expect(await cache.linkTo(digest, out("three"))).toBe(true);
      expect(await isVerified()).toBe(size > notedBytes);
    });

    it("is removed together with its notes", async () => {
      await cache.removeMote(digest);
      expect(fs.readdirSync(join(folder, "cache", ".mote", "chunks"))).toEqual([]);
    });

    for (const [how, atime] of [
      ["both times set back", undefined],
      ["the time of use set to now", new Date()],
    ] as const) {
      for (const isGone of [false, true]) {
        it(`and changed through the link, ${how}${isGone ? ", then unlinked" : ""}, is found damaged`, async () => {
          changeKeepingTimes(out("one"), atime);
          if (isGone) fs.rmSync(out("one"));
          expect(await failure(cache.linkTo(digest, out("two")))).toBe("MOTE_CORRUPT");
          expect(fs.existsSync(out("two"))).toBe(false);
          await put(cache, bytes, mediaType);
          expect(await failure(cache.linkTo(digest, out("two")))).toBe("none");
        });

        it(`and changed through the link, ${how}${isGone ? ", then unlinked" : ""}, is not verified`, async () => {
          changeKeepingTimes(out("one"), atime);
          if (isGone) fs.rmSync(out("one"));
          expect(await cache.verifyMote(digest)).toBe(false);
        });
      }
    }

    it("and overwritten in place by a tool that restores times is found damaged", async () => {
      const { atimeMs, mtimeMs } = fs.statSync(out("one"));
      fs.writeFileSync(out("other"), Buffer.from(bytes).fill("x"));
      fs.utimesSync(out("other"), atimeMs / 1000, mtimeMs / 1000);
      fs.chmodSync(out("one"), 0o644);
      execFileSync("cp", ["-p", out("other"), out("one")]);
      fs.chmodSync(out("one"), 0o444);
      expect(fs.statSync(cache.moteRef(digest)).nlink).toBe(2);
      expect(await cache.verifyMote(digest)).toBe(false);
    });

    it("is marked as verified again when its other links are removed and it was hashed", async () => {
      fs.rmSync(out("one"));
      expect(await isVerified()).toBe(false);
      expect(await cache.verifyMote(digest)).toBe(true);
      expect(await isVerified()).toBe(true);
      changeKeepingTimes(cache.moteRef(digest), new Date());
      fs.utimesSync(cache.moteRef(digest), new Date(), new Date());
      expect(await cache.verifyMote(digest)).toBe(false);
    });
  });

  describe(`a blob (${name}) with a link that the user created`, () => {
    it("is hashed, and loses its verified stamp", async () => {
      await put(cache, bytes, mediaType);
      fs.linkSync(cache.moteRef(digest), out("mine"));
      changeKeepingTimes(out("mine"));
      expect(await failure(cache.linkTo(digest, out("two")))).toBe("MOTE_CORRUPT");
    });

    it("loses its verified stamp when its last use is renewed", async () => {
      await put(cache, bytes, mediaType);
      fs.linkSync(cache.moteRef(digest), out("mine"));
      const { mtimeMs } = fs.statSync(out("mine"));
      fs.utimesSync(out("mine"), 1, mtimeMs / 1000);
      await cache.verifyMote(digest);
      fs.rmSync(out("mine"));
      expect(await isVerified()).toBe(false);
    });
  });

  describe(`a concurrent write to a blob (${name})`, () => {
    const works = {
      verifyMote: () => cache.verifyMote(digest),
      linkTo: () => failure(cache.linkTo(digest, out("one"))),
      verify: () => cache.verify(),
      "a read of a part": () => failure(drain(cache.moteReader(digest, { start: 1, end: size - 1 }))),
    };
    for (const [work, run] of Object.entries(works)) {
      for (const method of ["futimesSync", "fchmodSync", "fstatSync"] as const) {
        it(`before any ${method} during ${work} is detected`, async () => {
          let calls = Number.POSITIVE_INFINITY;
          for (let nth = 1; nth <= calls; nth++) {
            vi.restoreAllMocks();
            fs.rmSync(join(folder, "cache"), { recursive: true, force: true });
            fs.rmSync(out("one"), { force: true });
            await using other = new FileCache(join(folder, "cache"));
            await put(other, bytes, mediaType);
            // According to its time, it was not verified since.
            fs.utimesSync(cache.moteRef(digest), new Date(), new Date());
            const original = fs[method];
            let count = 0;
            vi.spyOn(fs, method as "futimesSync").mockImplementation((...args: unknown[]) => {
              if (++count === nth) change(cache.moteRef(digest));
              return Reflect.apply(original, fs, args);
            });
            await run();
            calls = count;
            vi.restoreAllMocks();
            expect([nth, await cache.verifyMote(digest)]).toEqual([nth, calls < nth]);
          }
        });
      }
    }

    it("that is moved into the cache is detected", async () => {
      for (const method of ["futimesSync", "fchmodSync", "renameSync", "fstatSync"] as const) {
        let calls = Number.POSITIVE_INFINITY;
        for (let nth = 1; nth <= calls; nth++) {
          fs.rmSync(join(folder, "cache"), { recursive: true, force: true });
          await using other = new FileCache(join(folder, "cache"), { durability: "visible" });
          await other.initialize();
          fs.writeFileSync(out("source"), bytes);
          const writer = fs.openSync(out("source"), "r+");
          const original = fs[method];
          let count = 0;
          vi.spyOn(fs, method as "futimesSync").mockImplementation((...args: unknown[]) => {
            if (++count === nth) fs.writeSync(writer, "!", 17);
            return Reflect.apply(original, fs, args);
          });
          const outcome = await failure(other.commitMote(out("source"), { digest, mediaType, size }, "move"));
          calls = count;
          vi.restoreAllMocks();
          fs.closeSync(writer);
          const isThere = await other.moteExists(digest);
          expect([method, nth, isThere && (await other.verifyMote(digest))]).toEqual([method, nth, calls < nth]);
          // After a failed move, the file is still at its path.
          if (outcome !== "none") expect([method, nth, fs.existsSync(out("source"))]).toEqual([method, nth, true]);
        }
      }
    });
  });
}

async function drain(reader: Promise<AsyncIterable<unknown>>): Promise<void> {
  for await (const _ of await reader);
}

it.skipIf(!isRoot)("a verified stamp that another user has set is not trusted", async () => {
  const bytes = contentOf(5000);
  const digest = digestBytes(bytes);
  await put(cache, bytes, mediaType);
  changeKeepingTimes(cache.moteRef(digest));
  // The owner of a file can set any time.
  expect(await cache.verifyMote(digest)).toBe(true);
  fs.chownSync(cache.moteRef(digest), 54_321, 54_321);
  expect(await cache.verifyMote(digest)).toBe(false);
});
