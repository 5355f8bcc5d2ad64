import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, MoteError, type MoteSource, readMote, takeInventory } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FileCache } from "../src/index.js";
import { put, putImage } from "./image.js";

const mediaType = "application/octet-stream";
const small = new Uint8Array(1000).fill(1);
const large = new Uint8Array(3_000_000).map((_, n) => (n * 5) ^ (n >> 10));
let folder: string;
let root: string;
let cache: FileCache;
beforeEach(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), "mote-unreadable-"));
  root = join(folder, "cache");
  cache = new FileCache(root, { durability: "visible" });
  await cache.initialize();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await cache[Symbol.asyncDispose]();
  fs.rmSync(folder, { recursive: true });
});

const code = (error: unknown) => (MoteError.isInstance(error) ? error.code : String(error));
const failure = async (work: Promise<unknown>) => await work.then(() => "none", code);
const errno = (name: string) => Object.assign(new Error(name), { code: name });
const read = async (source: MoteSource, bytes: Uint8Array) =>
  Buffer.compare(await readMote(source, digestBytes(bytes), { maxBytes: 10_000_000 }), bytes) === 0;

/** Fails to open these files, as if they belonged to another user. */
function denyOpen(name: string, isDenied: (path: string) => boolean): void {
  const { openSync, open, accessSync, access } = fs;
  vi.spyOn(fs, "openSync").mockImplementation((path, flags, mode) => {
    // Creating an existing file fails for another reason.
    if (flags !== "wx" && flags !== "ax" && isDenied(String(path))) throw errno(name);
    return openSync(path, flags, mode);
  });
  vi.spyOn(fs, "open").mockImplementation((...args: unknown[]) => {
    const done = args.at(-1);
    if (isDenied(String(args[0])) && typeof done === "function") process.nextTick(() => done(errno(name)));
    else Reflect.apply(open, fs, args);
  });
  vi.spyOn(fs, "accessSync").mockImplementation((path, mode) => {
    if (isDenied(String(path))) throw errno(name);
    accessSync(path, mode);
  });
  vi.spyOn(fs, "access").mockImplementation((...args: unknown[]) => {
    const done = args.at(-1);
    if (isDenied(String(args[0])) && typeof done === "function") process.nextTick(() => done(errno(name)));
    else Reflect.apply(access, fs, args);
  });
}

/** Fails reads of the file from an offset on, like a bad sector. */
function failReads(path: string, from: number): void {
  const { readSync, read: readLater, fstatSync } = fs;
  const { ino } = fs.statSync(path);
  const fails = (fd: unknown, length: unknown, position: unknown) =>
    typeof fd === "number" && fstatSync(fd).ino === ino && Number(position) + Number(length) > from;
  vi.spyOn(fs, "readSync").mockImplementation((...args: unknown[]) => {
    if (fails(args[0], args[3], args[4])) throw errno("EIO");
    return Reflect.apply(readSync, fs, args);
  });
  vi.spyOn(fs, "read").mockImplementation((...args: unknown[]) => {
    const done = args.at(-1);
    if (fails(args[0], args[3], args[4]) && typeof done === "function") process.nextTick(() => done(errno("EIO")));
    else Reflect.apply(readLater, fs, args);
  });
}

describe("a blob that cannot be read", () => {
  for (const bytes of [small, large]) {
    const digest = digestBytes(bytes);
    const name = bytes === small ? "small" : "large";
    const mote = { digest, mediaType, size: bytes.byteLength };
    const breakIt: Record<string, () => void> = {
      "for permissions": () => {
        const { ino } = fs.statSync(cache.moteRef(digest));
        denyOpen("EACCES", (path) => path === cache.moteRef(digest) && fs.lstatSync(path).ino === ino);
      },
      "for a bad sector": () => failReads(cache.moteRef(digest), bytes.byteLength / 2),
    };
    for (const [why, doBreak] of Object.entries(breakIt)) {
      describe(`(${name}, ${why})`, () => {
        beforeEach(async () => {
          await put(cache, bytes, mediaType);
          if (why === "for a bad sector") fs.utimesSync(cache.moteRef(digest), new Date(), new Date());
          doBreak();
        });

        it("is reported by every read, and is not moved", async () => {
          expect(await failure(readMote(cache, digest, { maxBytes: 10_000_000 }))).toBe("MOTE_IO");
          expect(await failure(cache.verifyMote(digest))).toBe("MOTE_IO");
          expect(await failure(cache.linkTo(digest, join(folder, "target")))).toBe("MOTE_IO");
          expect((await cache.verify()).failed).toEqual([{ digest, reason: "MOTE_IO" }]);
          expect(fs.existsSync(cache.moteRef(digest))).toBe(true);
        });

        it("is quarantined by a writer that stores it again", async () => {
          const writer = await cache.leadMote(mote);
          expect(fs.readdirSync(join(root, ".mote/quarantine")).length).toBe(1);
          await writer?.write(bytes);
          await writer?.close();
          expect(await read(cache, bytes)).toBe(true);
          expect(await cache.verifyMote(digest)).toBe(true);
        });

        it("is replaced by a writer, even if it cannot be quarantined", async () => {
          fs.rmSync(join(root, ".mote/quarantine"), { recursive: true });
          fs.writeFileSync(join(root, ".mote/quarantine"), "in the way");
          const writer = await cache.leadMote(mote).catch(() => undefined);
          if (writer === undefined) await put(cache, bytes, mediaType);
          else {
            await writer.write(bytes);
            await writer.close();
          }
          vi.restoreAllMocks();
          expect(await read(cache, bytes)).toBe(true);
        });

        it("is read from the fallback, starting at the offset that is needed", async () => {
          await using far = new FileCache(join(folder, "far"), { durability: "visible" });
          await put(far, bytes, mediaType);
          const warnings: string[] = [];
          const logger = { debug() {}, info() {}, error() {}, warn: (text: string) => void warnings.push(text) };
          await using near = new FileCache(root, { fallback: far, logger });
          expect(await read(near, bytes)).toBe(true);
          const middle = { start: 10, end: bytes.byteLength - 10 };
          const chunks = [];
          for await (const chunk of await near.moteReader(digest, middle)) chunks.push(chunk);
          expect(Buffer.concat(chunks).equals(bytes.subarray(middle.start, middle.end))).toBe(true);
          await using at = await near.moteReaderAt(digest);
          const end = new Uint8Array(100);
          await at.readAt(end, bytes.byteLength - 100);
          expect(Buffer.compare(end, bytes.subarray(-100))).toBe(0);
          expect(warnings).not.toEqual([]);
        });
      });
    }
  }

  it("from the middle on continues from the fallback at that offset, and bytes that do not match are damage", async () => {
    const digest = digestBytes(large);
    await put(cache, large, mediaType);
    failReads(cache.moteRef(digest), 2_000_000);
    for (const isRight of [true, false]) {
      const starts: (number | undefined)[] = [];
      const far: MoteSource = {
        moteExists: async () => true,
        find: async () => ({ digest, size: large.byteLength, mediaType }),
        moteRef: () => "far",
        moteReaderAt: () => Promise.reject(new Error("not asked")),
        moteReader: async (_digest, options = {}) => {
          starts.push(options.start);
          const rest = Buffer.from(large.subarray(options.start));
          if (!isRight) rest[5] = (rest[5] ?? 0) ^ 1;
          return Object.assign(chunksOf(rest), {
            info: { digest, size: large.byteLength, mediaType },
            close: async () => {},
            [Symbol.asyncDispose]: async () => {},
          });
        },
      };
      await using near = new FileCache(root, { fallback: far });
      const outcome = await failure(readMote(near, digest, { maxBytes: 10_000_000 }));
      expect(outcome).toBe(isRight ? "none" : "MOTE_CORRUPT");
      expect(starts.length).toBe(1);
      expect(starts[0]).toBeGreaterThan(0);
    }
  });
});

function inodeOf(path: string): number {
  return fs.lstatSync(path, { throwIfNoEntry: false })?.ino ?? 0;
}

async function* chunksOf(bytes: Uint8Array) {
  for (let at = 0; at < bytes.byteLength; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

describe("one unreadable file does no harm", () => {
  const places: Record<string, (path: string) => boolean> = {
    "a tag": (path) => path.includes("/.mote/tags/") && path.endsWith(".json"),
    "a manifest's note": (path) => path.includes("/.mote/manifests/"),
    "a pin": (path) => path.includes("/.mote/pins/"),
    "the digests of chunks": (path) => path.includes("/.mote/chunks/"),
    "index.json": (path) => path.endsWith("/index.json"),
    "the layout's file": (path) => path.endsWith("/oci-layout"),
    "a writer lock": (path) => path.includes("/.mote/leads/"),
    "an unfinished write": (path) => path.includes("/.mote/ingest/") && path.endsWith(".part"),
  };
  for (const [place, isPlace] of Object.entries(places)) {
    it(place, async () => {
      const image = await putImage(cache, "image", ["layer"]);
      await put(cache, large, mediaType);
      await cache.verify();
      await cache.pinned.pin(image.manifest.digest);
      const other = new Uint8Array(500_000).fill(9);
      const mote = { digest: digestBytes(other), mediaType, size: other.byteLength };
      const part = await cache.resumeMote(mote);
      await part.write(other.subarray(0, 300_000));
      await part.suspend();
      fs.writeFileSync(join(root, ".mote/leads", mote.digest.replace(":", "-")), "another process");
      // Only the existing files; their replacements can be read.
      const inodes = new Set<number>();
      const gather = (path: string): void => {
        if (fs.lstatSync(path).isDirectory()) for (const name of fs.readdirSync(path)) gather(join(path, name));
        else if (isPlace(path)) {
          inodes.add(inodeOf(path));
          // Kept open, because a free inode would be used again.
          fs.linkSync(path, join(folder, `kept-${inodes.size}`));
        }
      };
      gather(root);
      expect(inodes.size).toBeGreaterThan(0);
      denyOpen("EACCES", (path) => inodes.has(inodeOf(path)));
      await using again = new FileCache(root, { durability: "visible" });
      await again.initialize();
      expect(await read(again, large)).toBe(true);
      const inventory = await takeInventory(again);
      expect(inventory.motes.size).toBe(4);
      expect(inventory.tagErrors.map(code)).toEqual(place === "a tag" ? ["MOTE_IO"] : []);
      const writer = await again.leadMote(mote);
      expect(writer).toBeDefined();
      await writer?.write(other.subarray(writer.offset));
      await writer?.close();
      expect(await read(again, other)).toBe(true);
      await again.tags.tag("image", image.manifest);
      await again.tags.tag("other", image.manifest);
      expect(await again.tags.resolve("image")).toEqual(image.manifest);
      for (const each of [cache, again]) await each.update();
      expect(JSON.parse(fs.readFileSync(join(root, "index.json"), "utf8")).manifests.length).toBe(2);
      await (await again.lease([image.manifest.digest])).release();
      const { remainingBytes } = await again.prune(0);
      expect(await again.moteExists(image.manifest.digest)).toBe(true);
      expect(remainingBytes).toBeGreaterThan(0);
    });
  }
});

describe("a file of the cache that is much too large", () => {
  const huge = (path: string) => {
    fs.writeFileSync(path, "");
    fs.truncateSync(path, 2 ** 40);
  };

  it("is not read, and is rewritten if it is index.json", async () => {
    const image = await putImage(cache, "image", ["layer"]);
    const index = join(root, "index.json");
    huge(index);
    await using again = new FileCache(root, { durability: "visible" });
    await again.initialize();
    expect(JSON.parse(fs.readFileSync(index, "utf8")).manifests[0].digest).toBe(image.manifest.digest);
  });

  it("does no harm if it is a tag", async () => {
    const image = await putImage(cache, "image", ["layer"]);
    const [file = ""] = fs.readdirSync(join(root, ".mote/tags"));
    await cache.tags.tag("other", image.manifest);
    huge(join(root, ".mote/tags", file));
    expect(await failure(cache.tags.resolve("image"))).toBe("MOTE_IO");
    expect(await cache.tags.resolve("other")).toEqual(image.manifest);
    expect((await takeInventory(cache)).tagErrors.map(code)).toEqual(["MOTE_IO"]);
    await cache.tags.tag("image", image.manifest);
    expect(await cache.tags.resolve("image")).toEqual(image.manifest);
  });

  it("is an error with its name if a layout of another tool is adopted", async () => {
    const layout = join(folder, "layout");
    fs.mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
    fs.writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    huge(join(layout, "index.json"));
    await using other = new FileCache(layout, { durability: "visible" });
    await expect(other.initialize()).rejects.toMatchObject({
      code: "MOTE_IO",
      message: expect.stringContaining(join(layout, "index.json")),
    });
  });
});

describe("something other than a file in place of a blob", () => {
  const plant: Record<string, (path: string) => void> = {
    "a folder with something in it": (path) => {
      fs.mkdirSync(path);
      fs.writeFileSync(join(path, "something"), "");
    },
    "a symbolic link": (path) => fs.symlinkSync("/etc/hostname", path),
    "a symbolic link that leads nowhere": (path) => fs.symlinkSync("/nowhere", path),
  };
  for (const [what, doPlant] of Object.entries(plant)) {
    for (const quarantine of ["there", "in the way"]) {
      it(`${what} is replaced (quarantine: ${quarantine})`, async () => {
        const digest = digestBytes(large);
        doPlant(cache.moteRef(digest));
        if (quarantine === "in the way") {
          fs.rmSync(join(root, ".mote/quarantine"), { recursive: true });
          fs.writeFileSync(join(root, ".mote/quarantine"), "");
        }
        expect(await cache.moteExists(digest)).toBe(false);
        await put(cache, large, mediaType);
        expect(await read(cache, large)).toBe(true);
      });
    }
  }
});
