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
/** Writes over one byte, as no stamp could tell: same file, same size. */
function change(path: string): void {
  fs.chmodSync(path, 0o644);
  const fd = fs.openSync(path, "r+");
  fs.writeSync(fd, "!", 17);
  fs.closeSync(fd);
  fs.chmodSync(path, 0o444);
}
/** Changes a file and sets its times back, as `touch -r` and backup tools do. */
function changeUnseen(path: string, atime?: Date): void {
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
      // Elsewhere the file system shares extents.
      expect(fs.statSync(out("one")).nlink).toBe(2);
    });

    it("is linked again, and the file is still the same one", async () => {
      // Only a large one is worth a note, which tells that nothing has changed it.
      const isNoted = size > notedBytes;
      expect(await isVerified()).toBe(isNoted);
      for (const target of ["two", "three"]) expect(await cache.linkTo(digest, out(target))).toBe(true);
      expect(fs.readFileSync(out("three")).equals(bytes)).toBe(true);
      expect(fs.statSync(cache.moteRef(digest)).nlink).toBe(4);
      await cache.verify();
      expect(await isVerified()).toBe(isNoted);
    });

    it("is not taken for verified when one of its names was removed, until it was hashed", async () => {
      await cache.linkTo(digest, out("two"));
      fs.rmSync(out("one"));
      expect(await isVerified()).toBe(false);
      expect(await cache.linkTo(digest, out("three"))).toBe(true);
      expect(await isVerified()).toBe(size > notedBytes);
    });

    it("leaves nothing of its notes when it is removed", async () => {
      await cache.removeMote(digest);
      expect(fs.readdirSync(join(folder, "cache", ".mote", "chunks"))).toEqual([]);
    });

    for (const [how, atime] of [
      ["both times set back", undefined],
      ["the time of use set to now", new Date()],
    ] as const) {
      for (const isGone of [false, true]) {
        it(`and changed by that name, ${how}${isGone ? ", the name then removed" : ""}, is found damaged`, async () => {
          changeUnseen(out("one"), atime);
          if (isGone) fs.rmSync(out("one"));
          expect(await failure(cache.linkTo(digest, out("two")))).toBe("MOTE_CORRUPT");
          expect(fs.existsSync(out("two"))).toBe(false);
          await put(cache, bytes, mediaType);
          expect(await failure(cache.linkTo(digest, out("two")))).toBe("none");
        });

        it(`and changed so, ${how}${isGone ? ", the name then removed" : ""}, is not verified`, async () => {
          changeUnseen(out("one"), atime);
          if (isGone) fs.rmSync(out("one"));
          expect(await cache.verifyMote(digest)).toBe(false);
        });
      }
    }

    it("and overwritten in place by a tool that keeps times is found damaged", async () => {
      const { atimeMs, mtimeMs } = fs.statSync(out("one"));
      fs.writeFileSync(out("other"), Buffer.from(bytes).fill("x"));
      fs.utimesSync(out("other"), atimeMs / 1000, mtimeMs / 1000);
      fs.chmodSync(out("one"), 0o644);
      execFileSync("cp", ["-p", out("other"), out("one")]);
      fs.chmodSync(out("one"), 0o444);
      expect(fs.statSync(cache.moteRef(digest)).nlink).toBe(2);
      expect(await cache.verifyMote(digest)).toBe(false);
    });

    it("is marked as verified again when its other names are gone and it was hashed", async () => {
      fs.rmSync(out("one"));
      expect(await isVerified()).toBe(false);
      expect(await cache.verifyMote(digest)).toBe(true);
      expect(await isVerified()).toBe(true);
      changeUnseen(cache.moteRef(digest), new Date());
      fs.utimesSync(cache.moteRef(digest), new Date(), new Date());
      expect(await cache.verifyMote(digest)).toBe(false);
    });
  });

  describe(`a blob (${name}) with a name that its user has made`, () => {
    it("is hashed, and does not keep its mark", async () => {
      await put(cache, bytes, mediaType);
      fs.linkSync(cache.moteRef(digest), out("mine"));
      changeUnseen(out("mine"));
      expect(await failure(cache.linkTo(digest, out("two")))).toBe("MOTE_CORRUPT");
    });

    it("loses its mark when its time of use is renewed", async () => {
      await put(cache, bytes, mediaType);
      fs.linkSync(cache.moteRef(digest), out("mine"));
      const { mtimeMs } = fs.statSync(out("mine"));
      fs.utimesSync(out("mine"), 1, mtimeMs / 1000);
      await cache.verifyMote(digest);
      fs.rmSync(out("mine"));
      expect(await isVerified()).toBe(false);
    });
  });

  describe(`a write to a blob (${name}) at the worst moment`, () => {
    const works = {
      verifyMote: () => cache.verifyMote(digest),
      linkTo: () => failure(cache.linkTo(digest, out("one"))),
      verify: () => cache.verify(),
      "a read of a part": () => failure(drain(cache.moteReader(digest, { start: 1, end: size - 1 }))),
    };
    for (const [work, run] of Object.entries(works)) {
      for (const method of ["futimesSync", "fchmodSync", "fstatSync"] as const) {
        it(`before any ${method} of ${work} is not hidden`, async () => {
          let calls = Number.POSITIVE_INFINITY;
          for (let nth = 1; nth <= calls; nth++) {
            vi.restoreAllMocks();
            fs.rmSync(join(folder, "cache"), { recursive: true, force: true });
            fs.rmSync(out("one"), { force: true });
            await using other = new FileCache(join(folder, "cache"));
            await put(other, bytes, mediaType);
            // Not verified since, as far as its time tells.
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

    it("that is moved into the cache is not hidden", async () => {
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
          // Whoever was told that it failed has the file, under its name.
          if (outcome !== "none") expect([method, nth, fs.existsSync(out("source"))]).toEqual([method, nth, true]);
        }
      }
    });
  });
}

async function drain(reader: Promise<AsyncIterable<unknown>>): Promise<void> {
  for await (const _ of await reader);
}

it.skipIf(!isRoot)("a mark that another user has set is not believed", async () => {
  const bytes = contentOf(5000);
  const digest = digestBytes(bytes);
  await put(cache, bytes, mediaType);
  changeUnseen(cache.moteRef(digest));
  // The cache's own file under its own name: who owns it can set any time.
  expect(await cache.verifyMote(digest)).toBe(true);
  fs.chownSync(cache.moteRef(digest), 54_321, 54_321);
  expect(await cache.verifyMote(digest)).toBe(false);
});
