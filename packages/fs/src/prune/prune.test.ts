import fs, {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes, MoteError, mediaTypes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Image, put, putImage } from "../../test/image.js";
import { DigestFiles } from "../folder/digest-files.js";
import { FileCache } from "../index.js";

const mediaType = "application/octet-stream";
let folder: string;
let root: string;
let cache: FileCache;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-prune-"));
  root = join(folder, "cache");
  cache = new FileCache(root, { durability: "visible" });
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await cache[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const code = (error: unknown) => (MoteError.isInstance(error) ? error.code : String(error));
const below = (path: string) => readdirSync(join(root, path));
const manifestsFolder = () => join(root, ".mote/manifests");
const tagFile = () => join(root, ".mote/tags", below(".mote/tags")[0] ?? "");
/** A prune removes by a path of its own. */
const isFileOf = (path: fs.PathLike, digest: Digest) => String(path).endsWith(digest.replace(":", "/"));
/** The next removal of a file that `isIt` says yes to comes after `first`. */
function beforeRemoval(isIt: (path: string) => boolean, first: () => void) {
  const { unlinkSync } = fs;
  let done = false;
  vi.spyOn(fs, "unlinkSync").mockImplementation((path) => {
    if (!done && isIt(String(path))) {
      done = true;
      first();
    }
    unlinkSync(path);
  });
}

describe("freed bytes", () => {
  it("are counted once for two names of one file, and not at all for one that has a name outside", async () => {
    const bytes = new Uint8Array(5000).fill(1);
    const twin = digestBytes(bytes, "sha512");
    const first = await put(cache, bytes, mediaType);
    linkSync(cache.moteRef(first.digest), cache.moteRef(twin));
    const outside = await put(cache, new Uint8Array(700).fill(2), mediaType);
    linkSync(cache.moteRef(outside.digest), join(folder, "outside"));
    await put(cache, new Uint8Array(30).fill(3), mediaType);
    for (const dryRun of [true, false]) {
      const report = await cache.prune(0, { dryRun });
      expect([report.removedBytes, report.freedBytes]).toEqual([10_730, 5030]);
    }
  });

  it("of one of two names are none", async () => {
    const bytes = new Uint8Array(5000).fill(1);
    const twin = digestBytes(bytes, "sha512");
    const first = await put(cache, bytes, mediaType);
    linkSync(cache.moteRef(first.digest), cache.moteRef(twin));
    await cache.pinned.pin(twin);
    expect((await cache.prune(0)).freedBytes).toBe(0);
  });

  it("are reported by one of two prunes", async () => {
    for (let n = 0; n < 300; n++) await put(cache, new TextEncoder().encode(`blob ${n}`), mediaType);
    await using other = new FileCache(root, { synchronous: false });
    const reports = await Promise.all([cache.prune(0), other.prune(0)]);
    expect(reports.reduce((sum, { removed }) => sum + removed.length, 0)).toBe(300);
  });
});

describe("a dry run", () => {
  it("makes no folder, and changes nothing", async () => {
    expect((await cache.prune(0, { dryRun: true })).removed).toEqual([]);
    expect(existsSync(root)).toBe(false);
    await putImage(cache, "name", ["a"]);
    const report = await cache.prune(0, { dryRun: true });
    expect([report.reached, report.remainingBytes, report.untagged]).toEqual([true, 0, ["name"]]);
    expect(await cache.tags.resolve("name")).not.toBe(undefined);
    const really = await cache.prune(0);
    expect(really.removed).toEqual(report.removed);
    expect(really.freedBytes).toBe(report.freedBytes);
  });
});

describe("what is unfinished", () => {
  const bytes = new Uint8Array(500_000).fill(9);
  const mote = { digest: digestBytes(bytes), mediaType, size: bytes.byteLength };
  const leavePart = async () => {
    const writer = await cache.resumeMote(mote);
    await writer.write(bytes.subarray(0, 300_000));
    await writer.suspend();
  };
  const offset = async () => {
    const writer = await cache.resumeMote(mote);
    await writer.suspend();
    return writer.offset;
  };

  it("can be resumed after a prune that had to remove blobs", async () => {
    await leavePart();
    await put(cache, new Uint8Array(1_000_000), mediaType);
    expect((await cache.prune(400_000)).reached).toBe(true);
    expect(await offset()).toBe(300_000);
  });

  it("goes when it is older or larger than its bounds", async () => {
    await leavePart();
    await using strict = new FileCache(root, { keepParts: { maxBytes: 200_000 } });
    await strict.prune(1_000_000);
    expect(await offset()).toBe(0);
    await leavePart();
    const soon = Date.now() + 4 * 24 * 3_600_000;
    vi.spyOn(Date, "now").mockReturnValue(soon);
    await cache.prune(1_000_000);
    vi.restoreAllMocks();
    expect(await offset()).toBe(0);
  });
});

it("prune(0) leaves no note of what is gone", async () => {
  await using thorough = new FileCache(root, { chunkDigests: "write" });
  await put(thorough, new Uint8Array(3_000_000), mediaTypes.ociManifest);
  await put(thorough, new Uint8Array(2_500_000), mediaType);
  for (const name of below("blobs/sha256")) rmSync(join(root, "blobs/sha256", name));
  await cache.prune(0);
  expect([...below(".mote/chunks"), ...below(".mote/manifests")]).toEqual([]);
});

it("a clock that jumped back does not make blobs too young for a bound of 0", async () => {
  await put(cache, new Uint8Array(10), mediaType);
  vi.spyOn(Date, "now").mockReturnValue(1000);
  expect((await cache.prune(0, { minAgeMs: 0 })).reached).toBe(true);
});

describe("a damaged tag file", () => {
  it("does not affect other tags, and is reported by a listing", async () => {
    await putImage(cache, "bad", ["a"]);
    writeFileSync(tagFile(), "{");
    const image = await putImage(cache, "good", ["b"]);
    await using next = new FileCache(root);
    await next.initialize();
    await put(next, new Uint8Array(5), mediaType);
    expect((await next.tags.resolve("good"))?.digest).toBe(image.manifest.digest);
    const names: string[] = [];
    const listing = (async () => {
      for await (const { name } of next.tags.list()) names.push(name);
    })();
    expect(await listing.then(() => "none", code)).toBe("MOTE_CORRUPT");
    expect(names).toEqual(["good"]);
    expect((await next.prune(0)).reached).toBe(true);
  });
});

describe("no manifest is left whose blobs are removed", () => {
  it("where the manifest cannot be removed", async () => {
    const image = await putImage(cache, "name", ["a", "b"]);
    const { unlinkSync } = fs;
    vi.spyOn(fs, "unlinkSync").mockImplementation((path) => {
      if (isFileOf(path, image.manifest.digest)) throw Object.assign(new Error("EPERM"), { code: "EPERM" });
      unlinkSync(path);
    });
    const report = await cache.prune(0);
    expect(report.skipped.map(({ digest }) => digest)).toEqual([image.manifest.digest]);
    vi.restoreAllMocks();
    for (const digest of image.digests) expect(await cache.moteExists(digest)).toBe(true);
    expect((await cache.prune(0)).reached).toBe(true);
  });

  it("if it is leased while its name is removed", async () => {
    const image = await putImage(cache, "name", ["a", "b"]);
    const leasing: Promise<unknown>[] = [];
    beforeRemoval(
      (path) => path.includes("/tags/"),
      () => leasing.push(cache.lease([image.manifest.digest])),
    );
    const report = await cache.prune(0);
    expect(leasing.length).toBe(1);
    expect(report.skipped.map(({ reason }) => reason)).toContain("leased");
    for (const digest of image.digests) expect(await cache.moteExists(digest)).toBe(true);
  });

  it("where it is named again while its old name goes", async () => {
    const image = await putImage(cache, "name", ["a", "b"]);
    const tagging: Promise<unknown>[] = [];
    beforeRemoval(
      (path) => path.includes("/tags/"),
      () => tagging.push(cache.tags.tag("again", image.manifest)),
    );
    await cache.prune(0);
    await Promise.all(tagging);
    if ((await cache.tags.resolve("again")) !== undefined && (await cache.moteExists(image.manifest.digest))) {
      for (const digest of image.digests) expect(await cache.moteExists(digest)).toBe(true);
    }
  });

  it("where the note that it is a manifest was emptied", async () => {
    const image = await putImage(cache, undefined, ["a", "b"]);
    for (const name of below(".mote/manifests")) truncateSync(join(root, ".mote/manifests", name), 0);
    for (const { digest } of image.layers)
      utimesSync(cache.moteRef(digest), 1000, fs.statSync(cache.moteRef(digest)).mtime);
    let size = 0;
    for await (const mote of cache.motes()) size += mote.size;
    await cache.prune(size - 1);
    if (await cache.moteExists(image.manifest.digest)) {
      for (const digest of image.digests) expect(await cache.moteExists(digest)).toBe(true);
    } else {
      expect((await cache.prune(0)).reached).toBe(true);
    }
    expect(await cache.moteExists(image.manifest.digest)).toBe(false);
  });
});

it("a tag that is moved while what it named goes is not lost", async () => {
  await putImage(cache, "latest", ["a"]);
  const next = await putImage(cache, undefined, ["b"]);
  const lease = await cache.lease(next.digests);
  const moving: Promise<void>[] = [];
  beforeRemoval(
    (path) => path.includes("/tags/"),
    () => moving.push(cache.tags.tag("latest", next.manifest)),
  );
  expect((await cache.prune(0)).untagged).toEqual(["latest"]);
  expect(moving.length).toBe(1);
  await Promise.all(moving);
  expect((await cache.tags.resolve("latest"))?.digest).toBe(next.manifest.digest);
  await lease.release();
});

it("a tag that is about to be moved stays", async () => {
  await putImage(cache, "latest", ["a"]);
  const next = await putImage(cache, undefined, ["b"]);
  const lease = await cache.lease(next.digests);
  const { fdatasync } = fs;
  let go = () => {};
  const held = new Promise<void>((resolve) => {
    vi.spyOn(fs, "fdatasync").mockImplementationOnce((fd, done) => {
      go = () => fdatasync(fd, done);
      resolve();
    });
  });
  const moving = cache.tags.tag("latest", next.manifest);
  await held;
  expect((await cache.prune(0)).untagged).toEqual([]);
  go();
  await moving;
  expect((await cache.tags.resolve("latest"))?.digest).toBe(next.manifest.digest);
  await lease.release();
});

describe("an image that is pulled during a prune stays complete", () => {
  /** What another process does at the prune's `n`th look: it held the image until now. */
  async function imageThatComes(atLook: number, comes: () => void = () => {}) {
    const image = await putImage(cache, undefined, ["a", "b"]);
    const path = cache.moteRef(image.manifest.digest);
    const note = join(manifestsFolder(), below(".mote/manifests")[0] ?? "");
    const kept = [path, note].map((file) => ({ file, bytes: fs.readFileSync(file) }));
    for (const { file } of kept) fs.rmSync(file);
    const { ftruncateSync } = fs;
    let looks = 0;
    vi.spyOn(fs, "ftruncateSync").mockImplementation((fd, length) => {
      ftruncateSync(fd, length);
      if (length === 0 || ++looks !== atLook) return;
      for (const { file, bytes } of kept) writeFileSync(file, bytes);
      comes();
    });
    return { ...image, note };
  }

  it("where its note was there before its text and its manifest", async () => {
    const image = await imageThatComes(1);
    writeFileSync(image.note, "");
    await cache.prune(0);
    for (const digest of image.digests) expect(await cache.moteExists(digest)).toBe(true);
  });

  it.each(["right", "another machine's, and late"])(
    "where the clock of the file system is coarse, and %s",
    async (how) => {
      const now = Date.now();
      const changed = (how === "right" ? now : now - 3_600_000) / 1000;
      const image = await imageThatComes(2, () => {
        utimesSync(manifestsFolder(), changed, changed);
        vi.spyOn(Date, "now").mockReturnValue(now + 1000);
      });
      utimesSync(manifestsFolder(), changed, changed);
      await cache.prune(0);
      for (const digest of image.digests) expect(await cache.moteExists(digest)).toBe(true);
    },
  );
});

describe("an index and the images below it", () => {
  async function putIndex(name: string, images: readonly Image[]): Promise<Image> {
    const manifests = images.map(({ manifest }) => manifest);
    const body = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, annotations: { name }, manifests };
    const manifest = await put(cache, new TextEncoder().encode(JSON.stringify(body)), mediaTypes.ociIndex);
    const digests = [manifest.digest, ...images.flatMap(({ digests }) => digests)];
    return { manifest, config: manifest, layers: [], digests };
  }
  const lastUsed = (digest: Digest, seconds: number) =>
    utimesSync(cache.moteRef(digest), seconds, fs.statSync(cache.moteRef(digest)).mtime);
  /** What others do when the prune rests for the `n`th time: it removes nothing before its next look. */
  function atRest(n: number, first: () => void) {
    const { ftruncateSync } = fs;
    let rests = 0;
    vi.spyOn(fs, "ftruncateSync").mockImplementation((fd, length) => {
      ftruncateSync(fd, length);
      if (length === 0 && ++rests === n) first();
    });
  }
  async function expectThere(digests: readonly Digest[]) {
    for (const digest of digests) expect([digest, await cache.moteExists(digest)]).toEqual([digest, true]);
  }

  it("stay complete if the index is leased after it was chosen", async () => {
    const image = await putImage(cache, "image", ["a", "b"]);
    const index = await putIndex("index", [image]);
    lastUsed(image.manifest.digest, 1000);
    const leasing: Promise<unknown>[] = [];
    atRest(1, () => leasing.push(cache.lease([index.manifest.digest])));
    await cache.prune(0);
    expect(leasing.length).toBe(1);
    await expectThere(index.digests);
  });

  it("stay complete if the index is pinned after it lost its name", async () => {
    const image = await putImage(cache, undefined, ["a", "b"]);
    const index = await putIndex("index", [image]);
    const pins = join(root, ".mote/pins", index.manifest.digest.replace(":", "-"));
    atRest(2, () => writeFileSync(pins, ""));
    await cache.prune(0);
    await expectThere(index.digests);
    expect(below(".mote/manifests").length).toBe(2);
  });

  it("go from above to below", async () => {
    const image = await putImage(cache, undefined, ["a"]);
    const index = await putIndex("index", [image]);
    const outer = await putIndex("outer", [image, index]);
    for (const [age, { manifest }] of [image, index, outer].entries()) lastUsed(manifest.digest, 1000 + age);
    const { removed } = await cache.prune(0);
    const order = [outer, index, image].map(({ manifest }) => manifest.digest);
    expect(removed.map(({ digest }) => digest).filter((digest) => order.includes(digest))).toEqual(order);
  });

  it("stay complete below a leased image whose index is removed in a later round", async () => {
    const image = await putImage(cache, undefined, ["a", "b"]);
    const index = await putIndex("index", [image]);
    const large = await put(cache, new Uint8Array(500_000).fill(1), mediaType);
    const small = await put(cache, new Uint8Array(500).fill(2), mediaType);
    for (const [age, { digest }] of [image.manifest, small, large].entries()) lastUsed(digest, 1000 + age);
    const leasing: Promise<unknown>[] = [];
    atRest(1, () => leasing.push(cache.lease([large.digest])));
    beforeRemoval(
      (path) => isFileOf(path, small.digest),
      () => leasing.push(cache.lease([image.manifest.digest])),
    );
    let size = 0;
    for await (const mote of cache.motes()) size += mote.size;
    await cache.prune(size - 400_000);
    expect(leasing.length).toBe(2);
    expect(await cache.moteExists(small.digest)).toBe(false);
    await expectThere(image.digests);
    expect(await cache.moteExists(index.manifest.digest)).toBe(true);
  });

  it("are an image that stays complete if it is pulled after its index was looked at", async () => {
    const image = await putImage(cache, undefined, ["a", "b"]);
    const index = await putIndex("index", [image]);
    lastUsed(image.manifest.digest, 1000);
    let size = 0;
    for await (const mote of cache.motes()) size += mote.size;
    // A folder tells its names in any order.
    vi.spyOn(DigestFiles.prototype, "list").mockReturnValueOnce([index.manifest.digest, image.manifest.digest]);
    const { openSync } = fs;
    let isThere = false;
    vi.spyOn(fs, "openSync").mockImplementation((path, flags, mode) => {
      if (isThere || path !== cache.moteRef(image.manifest.digest)) return openSync(path, flags, mode);
      isThere = true;
      throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
    });
    await cache.prune(size - 1);
    expect(isThere).toBe(true);
    await expectThere(image.digests);
  });
});

it("an image that is pulled again while its layers are removed stays complete", async () => {
  const image = await putImage(cache, undefined, ["a", "b"]);
  const path = cache.moteRef(image.manifest.digest);
  const note = join(root, ".mote/manifests", below(".mote/manifests")[0] ?? "");
  const kept = [path, note].map((file) => ({ file, bytes: fs.readFileSync(file) }));
  const { ftruncateSync } = fs;
  let isAgain = false;
  vi.spyOn(fs, "ftruncateSync").mockImplementation((fd, length) => {
    ftruncateSync(fd, length);
    if (isAgain || length === 0 || existsSync(note)) return;
    isAgain = true;
    for (const { file, bytes } of kept) writeFileSync(file, bytes);
  });
  await cache.prune(0);
  expect(isAgain).toBe(true);
  for (const digest of image.digests) expect(await cache.moteExists(digest)).toBe(true);
});

it("an image that gets a name while others go is not taken from under it", async () => {
  const images: Image[] = [];
  for (const layer of ["a", "b", "c"]) images.push(await putImage(cache, undefined, [layer]));
  const [first, second, third] = images.map(({ manifest }) => manifest);
  for (const [age, { manifest }] of images.entries()) {
    utimesSync(cache.moteRef(manifest.digest), 1000 + age, fs.statSync(cache.moteRef(manifest.digest)).mtime);
  }
  if (first === undefined || second === undefined || third === undefined) throw new Error("there are three images");
  const lease = () => join(root, ".mote/leases", `${below(".mote/pruning")[0]?.split(".")[0]}.other`);
  const name = digestBytes(Buffer.from("again")).replace("sha256:", "");
  let now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => {
    now += 2000;
    return now;
  });
  const { unlinkSync } = fs;
  vi.spyOn(fs, "unlinkSync").mockImplementation((path) => {
    unlinkSync(path);
    // Who sets a tag holds what it names until it is set; the prune looks in between, as its last look is long ago.
    if (isFileOf(path, first.digest)) writeFileSync(lease(), `${third.digest}\n`);
    if (!isFileOf(path, second.digest)) return;
    writeFileSync(join(root, `.mote/tags/${name}.json`), JSON.stringify({ name: "again", descriptor: third }));
    unlinkSync(lease());
  });
  await cache.prune(0);
  expect(below(".mote/leases")).toEqual([]);
  expect((await cache.tags.resolve("again"))?.digest).toBe(third.digest);
  for (const digest of images[2]?.digests ?? []) expect(await cache.moteExists(digest)).toBe(true);
});

describe("the note that a blob is a manifest", () => {
  it.each(["removed", "swept"])("is there where the manifest came just when it was %s", async (how) => {
    const { manifest } = await putImage(cache, undefined, ["a"]);
    const bytes = fs.readFileSync(cache.moteRef(manifest.digest));
    rmSync(cache.moteRef(manifest.digest));
    beforeRemoval(
      (path) => path.includes("/manifests/"),
      () => writeFileSync(cache.moteRef(manifest.digest), bytes),
    );
    if (how === "removed") await cache.removeMote(manifest.digest);
    else await cache.prune(Number.POSITIVE_INFINITY);
    expect(await cache.moteExists(manifest.digest)).toBe(true);
    expect(below(".mote/manifests").length).toBe(1);
  });

  it("stays as long as a process that leases it may be about to store it", async () => {
    const { manifest } = await putImage(cache, undefined, ["a"]);
    rmSync(cache.moteRef(manifest.digest));
    const lease = await cache.lease([manifest.digest]);
    await cache.prune(0);
    expect(below(".mote/manifests").length).toBe(1);
    await lease.release();
    await cache.prune(0);
    expect(below(".mote/manifests")).toEqual([]);
  });
});

it("what was leased is looked at before each removal that comes long after the last look", async () => {
  const digests: Digest[] = [];
  for (let n = 0; n < 3; n++) digests.push((await put(cache, new Uint8Array(10 + n), mediaType)).digest);
  let now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => now);
  beforeRemoval(
    (path) => path.includes("/blobs/"),
    () => {
      // The process was stopped here, and somebody else waited no longer.
      now += 120_000;
      const owner = below(".mote/pruning")[0]?.split(".")[0];
      writeFileSync(join(root, `.mote/leases/${owner}.other`), digests.map((digest) => `${digest}\n`).join(""));
    },
  );
  const { removed } = await cache.prune(0);
  expect(removed.length).toBe(1);
});

it("many notes of manifests that are not there are no work for each look", async () => {
  await cache.initialize();
  for (let n = 0; n < 300; n++) {
    const digest = digestBytes(Buffer.from(`gone ${n}`));
    writeFileSync(join(manifestsFolder(), digest.replace(":", "-")), mediaTypes.ociManifest);
    await put(cache, Buffer.from(`blob ${n}`), mediaType);
  }
  const opening = vi.spyOn(fs, "openSync");
  await cache.prune(0);
  expect(opening.mock.calls.length).toBeLessThan(1000);
  expect(below(".mote/manifests")).toEqual([]);
});

it("of many images, a prune looks at the leases once in a while, and not for each", async () => {
  for (let n = 0; n < 100; n++) await putImage(cache, `name ${n}`, [`layer ${n}`]);
  vi.spyOn(performance, "now").mockReturnValue(performance.now());
  const looking = vi.spyOn(fs, "ftruncateSync");
  expect((await cache.prune(0)).reached).toBe(true);
  expect(looking.mock.calls.length).toBeLessThan(20);
});

describe("a lease", () => {
  it.each(["some of it at once", "some of it, and then nothing"])(
    "is whole where a full disk takes %s",
    async (how) => {
      const digests: Digest[] = [];
      for (let n = 0; n < 3; n++) digests.push((await put(cache, new Uint8Array(10 + n), mediaType)).digest);
      const lease = await cache.lease(digests.slice(0, 1));
      const { writeSync } = fs;
      const writing = vi.spyOn(fs, "writeSync");
      writing.mockImplementationOnce((fd, bytes) => writeSync(fd, Buffer.from(bytes).subarray(0, 20)));
      if (how.endsWith("nothing")) {
        writing.mockImplementationOnce(() => {
          throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
        });
        expect(await lease.add(digests[1] as Digest).then(() => "none", code)).toBe("MOTE_NO_SPACE");
      }
      for (const digest of digests.slice(1)) await lease.add(digest);
      expect((await cache.prune(0)).removed).toEqual([]);
      await lease.release();
    },
  );

  it("is restored if its holder was taken for dead", async () => {
    const digests: Digest[] = [];
    for (let n = 0; n < 3; n++) digests.push((await put(cache, new Uint8Array(10 + n), mediaType)).digest);
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const lease = await cache.lease(digests.slice(0, 2));
    rmSync(join(root, ".mote/leases", below(".mote/leases")[0] ?? ""));
    vi.advanceTimersByTime(60_000);
    expect((await cache.prune(12)).removed.map(({ digest }) => digest)).toEqual(digests.slice(2));
    await put(cache, new Uint8Array(12), mediaType);
    rmSync(join(root, ".mote/leases", below(".mote/leases")[0] ?? ""));
    await lease.add(digests[2] as Digest);
    expect((await cache.prune(0)).removed).toEqual([]);
    await lease.release();
    expect(below(".mote/leases")).toEqual([]);
  });

  it("waits for a prune that was taken for dead", async () => {
    await put(cache, new Uint8Array(10), mediaType);
    const announced: string[] = [];
    beforeRemoval(
      (path) => path.includes("/blobs/"),
      () => announced.push(...below(".mote/pruning")),
    );
    const { ftruncateSync } = fs;
    vi.spyOn(fs, "ftruncateSync").mockImplementationOnce((fd, length) => {
      ftruncateSync(fd, length);
      rmSync(join(root, ".mote/pruning", below(".mote/pruning")[0] ?? ""));
    });
    expect((await cache.prune(0)).reached).toBe(true);
    expect(announced.length).toBe(1);
    expect(below(".mote/pruning")).toEqual([]);
  });

  it("waits for no prune in another container that has been silent for long", async () => {
    await cache.initialize();
    const path = join(root, ".mote/pruning/1-1-elsewhere-1.0");
    writeFileSync(path, "12345");
    const minutesAgo = Date.now() / 1000 - 120;
    utimesSync(path, minutesAgo, minutesAgo);
    let now = performance.now();
    vi.spyOn(performance, "now").mockImplementation(() => {
      now += 1000;
      return now;
    });
    const lease = await cache.lease([digestBytes(new Uint8Array())]);
    await lease.release();
  });
});

it("a cache whose view could not be written, as the disk is full, can be pruned", async () => {
  await putImage(cache, "name", ["a"]);
  rmSync(join(root, "index.json"));
  await using next = new FileCache(root);
  vi.spyOn(fs, "writeFileSync").mockImplementation(() => {
    throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
  });
  await next.initialize();
  expect((await next.prune(0)).reached).toBe(true);
});

it("a folder with the name of a side file does not stop a prune", async () => {
  await put(cache, new Uint8Array(2_000_000), mediaType);
  mkdirSync(join(root, ".mote/chunks", (await firstName()).replace(":", "-")));
  expect((await cache.prune(0)).reached).toBe(true);
});

async function firstName(): Promise<string> {
  for await (const { digest } of cache.motes()) return digest;
  throw new Error("the cache is empty");
}
