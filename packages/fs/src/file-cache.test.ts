import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { digestBytes, MoteError, type MoteSource } from "@mote/core";
import { describe, expect, it } from "vitest";
import {
  age,
  bytes,
  damage,
  digest,
  failure,
  folder,
  index,
  mediaType,
  open,
  read,
  root,
} from "../test/cache-setup.js";
import { put, putImage } from "../test/image.js";
import { FileCache } from "./index.js";

describe("the cache folder", () => {
  it("is an image layout with only read-only blobs below blobs/", async () => {
    await using cache = open();
    await cache.initialize();
    expect(JSON.parse(readFileSync(join(root, "oci-layout"), "utf8"))).toEqual({ imageLayoutVersion: "1.0.0" });
    expect(index().manifests).toEqual([]);
    await put(cache, bytes, mediaType);
    expect(cache.moteRef(digest)).toBe(join(root, "blobs/sha256", digest.slice(7)));
    expect(lstatSync(cache.moteRef(digest)).mode & 0o777).toBe(0o444);
    expect(readdirSync(join(root, "blobs")).sort()).toEqual(["sha256", "sha384", "sha512"]);
    expect(readdirSync(join(root, ".mote/ingest"))).toEqual([]);
  });

  it("of a newer format is rejected and not changed", async () => {
    mkdirSync(join(root, ".mote"), { recursive: true });
    writeFileSync(join(root, ".mote/format.json"), '{"format":"mote-cache","version":2}');
    await using cache = open();
    expect(await failure(cache.initialize())).toBe("MOTE_UNSUPPORTED_FORMAT");
    expect(await failure(cache.moteExists(digest))).toBe("MOTE_UNSUPPORTED_FORMAT");
    expect(await failure(cache.prune(0))).toBe("MOTE_UNSUPPORTED_FORMAT");
    expect(readdirSync(root)).toEqual([".mote"]);
    expect(readdirSync(join(root, ".mote"))).toEqual(["format.json"]);
  });

  it("of another tool is adopted with its tags", async () => {
    await using theirs = open();
    const image = await putImage(theirs, "their-tag", ["a"]);
    await theirs[Symbol.asyncDispose]();
    rmSync(join(root, ".mote"), { recursive: true });
    await using cache = open();
    await cache.initialize();
    expect(await cache.tags.resolve("their-tag")).toEqual(image.manifest);
    expect(await failure(read(cache, image.manifest.digest))).toBe("none");
    expect(index().manifests.length).toBe(1);
  });

  it("is created at the first write, and not by reading", async () => {
    await using cache = open();
    expect(await cache.moteExists(digest)).toBe(false);
    expect(existsSync(root)).toBe(false);
    await put(cache, bytes, mediaType);
    expect(await read(cache)).toEqual(new Uint8Array(bytes));
  });

  it("that cannot be created is an error with that reason", async () => {
    writeFileSync(root, "a file");
    expect(await failure(open().initialize())).toBe("MOTE_UNWRITABLE");
  });

  it("for a group is writable by the group, and not by others", async () => {
    await using cache = open({ sharedWith: {} });
    await cache.initialize();
    for (const path of ["blobs", "blobs/sha256", ".mote", ".mote/ingest"]) {
      expect(lstatSync(join(root, path)).mode & 0o7777).toBe(0o2775);
    }
    await using own = open({}, join(folder, "own"));
    await own.initialize();
    expect(lstatSync(join(folder, "own", "blobs")).mode & 0o7777).toBe(0o755);
  });

  it("does not follow symbolic links out of it", async () => {
    await using cache = open();
    await cache.initialize();
    const outside = join(folder, "outside");
    writeFileSync(outside, bytes);
    symlinkSync(outside, cache.moteRef(digest));
    expect(await cache.moteExists(digest)).toBe(false);
    expect(await failure(cache.moteReader(digest))).toBe("MOTE_NOT_FOUND");
    expect(await cache.linkTo(digest, join(folder, "target"))).toBe(false);
    await put(cache, bytes, mediaType);
    expect(lstatSync(cache.moteRef(digest)).isFile()).toBe(true);
    expect(readFileSync(outside)).toEqual(Buffer.from(bytes));

    rmSync(join(root, "blobs/sha256"), { recursive: true });
    mkdirSync(join(folder, "elsewhere"));
    symlinkSync(join(folder, "elsewhere"), join(root, "blobs/sha256"));
    await using next = open();
    expect(await failure(next.initialize())).toBe("MOTE_UNSUPPORTED_FORMAT");
  });

  it("with a FIFO in place of a blob does not block", async () => {
    await using cache = open();
    await cache.initialize();
    execFileSync("mkfifo", [cache.moteRef(digest)]);
    expect(await failure(cache.moteReader(digest))).toBe("MOTE_NOT_FOUND");
  });
});

describe("tags", () => {
  it("appear correctly in index.json when many are set concurrently", async () => {
    await using cache = open();
    await using other = open();
    const { manifest } = await putImage(cache, undefined, ["a"]);
    const names = Array.from({ length: 20 }, (_, n) => `name-${String(n).padStart(2, "0")}`);
    await Promise.all(names.map((name, n) => (n % 2 ? cache : other).tags.tag(name, manifest)));
    const listed = async () => {
      for (const each of [cache, other]) await each.update();
      return index().manifests.map((entry: { annotations: object }) => Object.values(entry.annotations)[0]);
    };
    expect(await listed()).toEqual(names);
    await cache.tags.untag("name-00");
    expect(await listed()).toEqual(names.slice(1));
  });

  it("are available before the cache is initialized", async () => {
    await using cache = new FileCache(root);
    await cache.tags.tag("alone", { mediaType, digest, size: bytes.byteLength });
    expect((await open().tags.resolve("alone"))?.digest).toBe(digest);
  });

  it("with a damaged file are reported as corrupt, not as missing", async () => {
    await using cache = open();
    await cache.tags.tag("name", { mediaType, digest, size: 1 });
    const [file = ""] = readdirSync(join(root, ".mote/tags"));
    writeFileSync(join(root, ".mote/tags", file), "{");
    expect(await failure(cache.tags.resolve("name"))).toBe("MOTE_CORRUPT");
  });
});

describe("a fallback", () => {
  it("serves missing motes, and does not store them", async () => {
    await using below = open({}, join(folder, "below"));
    await put(below, bytes, mediaType);
    await using cache = open({ fallback: below });
    expect(await cache.moteExists(digest)).toBe(true);
    expect((await cache.find(digest))?.size).toBe(bytes.byteLength);
    expect(await read(cache)).toEqual(new Uint8Array(bytes));
    await using at = await cache.moteReaderAt(digest);
    expect(at.size).toBe(bytes.byteLength);
    expect(await cache.linkTo(digest, join(folder, "target"))).toBe(false);
    expect(existsSync(cache.moteRef(digest))).toBe(false);
  });

  it("that refers back to the cache ends in not found", async () => {
    const loop: MoteSource = {
      moteExists: (what, o) => second.moteExists(what, o),
      find: (what, o) => second.find(what, o),
      moteRef: (what) => second.moteRef(what),
      moteReader: (what, o) => second.moteReader(what, o),
      moteReaderAt: (what, o) => second.moteReaderAt(what, o),
    };
    const looped = open({ fallback: loop }, join(folder, "looped"));
    const second = open({ fallback: looped }, join(folder, "second"));
    expect(await looped.moteExists(digest)).toBe(false);
    expect(await second.find(digest)).toBe(undefined);
    expect(await failure(looped.moteReader(digest))).toBe("MOTE_NOT_FOUND");
    expect(await failure(second.moteReaderAt(digest))).toBe("MOTE_NOT_FOUND");
  });

  it("that fails is reported as an error, not as a miss", async () => {
    const broken = async () => {
      throw new MoteError("MOTE_UNREACHABLE", "no line");
    };
    const fallback = { moteExists: broken, find: broken, moteRef: () => "", moteReader: broken, moteReaderAt: broken };
    await using cache = open({ fallback });
    for (const asked of [
      cache.moteExists(digest),
      cache.find(digest),
      cache.moteReader(digest),
      cache.moteReaderAt(digest),
    ]) {
      expect(await failure(asked)).toBe("MOTE_UNREACHABLE");
    }
  });

  describe("for a damaged blob", () => {
    for (const content of [bytes, new Uint8Array(100_000).fill(7), new Uint8Array(3_000_000).fill(8)]) {
      const what = digestBytes(content);
      const reads: Record<string, (cache: FileCache) => Promise<Uint8Array>> = {
        "as a whole": (cache) => read(cache, what),
        "in part": async (cache) => {
          const chunks = [];
          for await (const chunk of await cache.moteReader(what, { start: 1 })) chunks.push(chunk);
          return Buffer.concat([content.subarray(0, 1), ...chunks]);
        },
        "at a position": async (cache) => {
          await using reader = await cache.moteReaderAt(what);
          const into = new Uint8Array(reader.size);
          for (let at = 0; at < into.byteLength; at += 700_000)
            await reader.readAt(into.subarray(at, at + 700_000), at);
          return into;
        },
      };
      for (const [how, readBy] of Object.entries(reads)) {
        it(`serves the read ${how} of ${content.byteLength} bytes`, async () => {
          await using below = open({}, join(folder, "below"));
          await put(below, content, mediaType);
          await using cache = open({ fallback: below });
          await put(cache, content, mediaType);
          damage(cache, what);
          expect(Buffer.compare(await readBy(cache), content)).toBe(0);
          expect(existsSync(cache.moteRef(what))).toBe(false);
          await put(cache, content, mediaType);
          chmodSync(cache.moteRef(what), 0o644);
          writeFileSync(cache.moteRef(what), "");
          expect(Buffer.compare(await readBy(cache), content)).toBe(0);
        });

        it(`without the blob reports the damage for the read ${how} of ${content.byteLength} bytes`, async () => {
          await using below = open({}, join(folder, "below"));
          await using cache = open({ fallback: below });
          await put(cache, content, mediaType);
          damage(cache, what);
          expect(await failure(readBy(cache))).toBe("MOTE_CORRUPT");
          expect(existsSync(cache.moteRef(what))).toBe(false);
        });
      }
    }
  });
});

describe("reading", () => {
  it("is not verified with verifyOnRead: false", async () => {
    await using cache = open({ verifyOnRead: false });
    await put(cache, bytes, mediaType);
    damage(cache, digest);
    const chunks = [];
    for await (const chunk of await cache.moteReader(digest)) chunks.push(chunk);
    expect(Buffer.concat(chunks).length).toBe(bytes.byteLength);
  });

  it("with linkOnRead keeps a link while a reader is open", async () => {
    await using cache = open({ linkOnRead: true });
    await put(cache, bytes, mediaType);
    const reader = await cache.moteReader(digest);
    expect(statSync(cache.moteRef(digest)).nlink).toBe(2);
    await reader.close();
    expect(statSync(cache.moteRef(digest)).nlink).toBe(1);
  });

  it("renews the last use at most once a minute, and keeps the verified stamp", async () => {
    await using cache = open();
    await put(cache, bytes, mediaType);
    const { mtimeMs } = statSync(cache.moteRef(digest));
    age(cache, digest, 2);
    await read(cache);
    const { atimeMs, mtimeMs: after } = statSync(cache.moteRef(digest));
    expect(Date.now() - atimeMs).toBeLessThan(60_000);
    expect(after).toBe(mtimeMs);
    await read(cache);
    await cache.verify();
    // The system call has a resolution of microseconds.
    expect(Math.abs(statSync(cache.moteRef(digest)).atimeMs - atimeMs)).toBeLessThan(1);
  });
});
describe("options", () => {
  it("that are not valid are a TypeError", () => {
    expect(() => Reflect.construct(FileCache, [""])).toThrow(TypeError);
    expect(() => Reflect.construct(FileCache, [root, { durability: "often" }])).toThrow(TypeError);
  });

  it("select the algorithm for digests that the cache computes", () => {
    expect(open().algorithm).toBe("sha256");
    expect(open({ algorithm: "sha512" }).algorithm).toBe("sha512");
  });
});
