import fs, { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes, mediaTypes } from "@mote/core";
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

const below = (path: string) => readdirSync(join(root, path));
const manifestsFolder = () => join(root, ".mote/manifests");
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
