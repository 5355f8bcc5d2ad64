import fs, { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes, MoteError, mediaTypes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { put, putImage } from "../../test/image.js";
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
      // As if the process was stopped here, and another one no longer waited for it.
      now += 120_000;
      const owner = below(".mote/pruning")[0]?.split(".")[0];
      writeFileSync(join(root, `.mote/leases/${owner}.other`), digests.map((digest) => `${digest}\n`).join(""));
    },
  );
  const { removed } = await cache.prune(0);
  expect(removed.length).toBe(1);
});

it("many notes of missing manifests cost no work at each lookup", async () => {
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
