import { type Descriptor, mediaTypes, type Platform } from "@mote/core";
import { beforeEach, describe, expect, it } from "vitest";
import { type TransferOptions, transfer } from "../src/index.js";
import { MemoryCache, ResumingCache } from "./memory-cache.js";
import { type AddedImage, addImage, addIndex, addManifest, someBytes } from "./memory-images.js";
import { MemoryDestination, MemorySource } from "./memory-places.js";

let source: MemorySource;
let destination: MemoryDestination;
let cache: MemoryCache;
let amd: AddedImage;
let arm: AddedImage;

const on = (architecture: string, variant?: string): { readonly platform: Platform } => ({
  platform: { os: "linux", architecture, ...(variant === undefined ? {} : { variant }) },
});
const linux = (descriptor: Descriptor, architecture: string, variant?: string) => ({
  ...descriptor,
  ...on(architecture, variant),
});

beforeEach(() => {
  source = new MemorySource();
  destination = new MemoryDestination();
  cache = new MemoryCache();
  amd = addImage(source, "amd", [5000, 3000, 1]);
  arm = addImage(source, "arm", [100], 2);
});

function tagIndex(manifests: readonly Descriptor[]): Descriptor {
  const index = addIndex(source, manifests);
  source.tags.set("multi", index);
  return index;
}

function pull(more: Partial<TransferOptions> = {}) {
  return transfer({ source, destination, cache, refs: ["multi"], platform: "linux/arm64", ...more });
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("of an index and a platform", () => {
  it("the manifest of the platform alone goes to the destination, and its tag stands for that", async () => {
    const index = tagIndex([linux(amd.root, "amd64"), linux(arm.root, "arm64", "v8")]);
    for (const platform of ["linux/arm64", "linux/aarch64", "linux/arm64/v8", { os: "linux", architecture: "arm64" }]) {
      destination = new MemoryDestination();
      const report = await pull({ platform });
      expect(report.refs[0]).toMatchObject({
        resolved: index,
        descriptor: { digest: arm.root.digest },
        platform: { os: "linux", architecture: "arm64" },
      });
      expect(destination.tags.get("multi")?.digest).toBe(arm.root.digest);
      expect(destination.contents.size).toBe(3);
    }
  });

  it("the cache names the index, and has that and the platform", async () => {
    const index = tagIndex([linux(amd.root, "amd64"), linux(arm.root, "arm64")]);
    cache = new ResumingCache();
    const report = await pull({ destination: undefined, tags: ["multi"] });
    expect(await cache.tags.resolve("multi")).toEqual(index);
    expect([...cache.digests].sort()).toEqual(
      [index, arm.root, arm.config, ...arm.layers].map(({ digest }) => digest).sort(),
    );
    expect(report.manifests).toMatchObject({ count: 2, fetched: 2 });
    expect(cache.leased).toContain(index.digest);
  });

  it("the cache keeps every index that leads to a platform, and none of a platform that it has not", async () => {
    const inner = addIndex(source, [linux(arm.root, "arm64")]);
    const other = addIndex(source, [linux(amd.root, "amd64")]);
    const outer = tagIndex([other, inner]);
    await pull();
    expect(cache.has(outer.digest) && cache.has(inner.digest)).toBe(true);
    expect(cache.has(other.digest)).toBe(false);
    // The destination has the blobs, so they never come here.
    cache = new MemoryCache();
    await pull();
    expect(cache.digests.length).toBe(0);
  });

  it("the index is not fetched again for the next platform, and everything completes it", async () => {
    const index = tagIndex([linux(amd.root, "amd64"), linux(arm.root, "arm64")]);
    await pull({ destination: undefined, tags: ["multi"] });
    await pull({ destination: undefined, tags: ["multi"], platform: "linux/amd64" });
    expect(source.manifestsAsked.filter((digest) => digest === index.digest)).toHaveLength(1);
    cache = new MemoryCache();
    await pull({ destination: undefined, tags: ["multi"] });
    await pull({ platform: undefined });
    expect(destination.tags.get("multi")).toEqual(index);
    expect(cache.has(amd.root.digest)).toBe(true);
  });

  it("a platform that is not there is an error that lists those that are", async () => {
    tagIndex([linux(amd.root, "arm", "v7"), linux(amd.root, "s390x")]);
    expect(await failureOf(pull({ platform: "linux/amd64" }))).toMatchObject({
      code: "MOTE_NO_PLATFORM",
      details: { platforms: ["linux/arm/v7", "linux/s390x"] },
    });
    expect(destination.tags.size).toBe(0);
  });

  it("very many platforms are not all listed, and names of any length are cut", async () => {
    const many = Array.from({ length: 300 }, (_, at) => linux(amd.root, `a${at}`.padEnd(500, "x")));
    tagIndex(many);
    const failure = await failureOf(pull());
    expect(failure).toMatchObject({ code: "MOTE_NO_PLATFORM" });
    expect(String(failure).length).toBeLessThan(3000);
  });

  it("what is for 32 bits is taken where there is nothing better, and that is said", async () => {
    tagIndex([linux(amd.root, "amd64"), linux(arm.root, "arm", "v7")]);
    const report = await pull();
    expect(report.refs[0]?.descriptor.digest).toBe(arm.root.digest);
    expect(report.warnings).toEqual([expect.stringContaining("linux/arm/v7")]);
  });

  it("an entry without a platform is told by its configuration", async () => {
    const config = source.addJson({ os: "linux", architecture: "aarch64" }, mediaTypes.ociConfig);
    const found = addManifest(source, config, [source.add(someBytes(10, 9), mediaTypes.ociLayer)]);
    tagIndex([amd.root, found]);
    const report = await pull();
    expect(report.refs[0]?.descriptor.digest).toBe(found.digest);
    // Both configurations came, each once.
    expect(source.timesAsked(config.digest)).toBe(1);
    expect(report.fetched).toEqual({ count: 3, bytes: config.size + amd.config.size + 10 });
  });

  it("attestations and artifacts of the index are nobody's platform", async () => {
    const config = source.addJson({ os: "unknown", architecture: "unknown" }, mediaTypes.ociConfig);
    const attestation = addManifest(source, config, []);
    const artifact = addManifest(source, source.addJson({}, "application/x"), []);
    tagIndex([linux(attestation, "unknown"), attestation, artifact]);
    expect(await failureOf(pull())).toMatchObject({ code: "MOTE_NO_PLATFORM" });
  });

  it("indexes that list each other again and again are looked through once", async () => {
    let index = addIndex(source, [amd.root]);
    for (let depth = 0; depth < 30; depth++)
      index = addIndex(source, [index, index, { ...index, annotations: { a: "b" } }]);
    source.tags.set("multi", index);
    expect(await failureOf(pull())).toMatchObject({ code: "MOTE_NO_PLATFORM" });
  });
});

describe("of a single image and a platform", () => {
  it("the image is taken where its configuration is of that platform, which is fetched once", async () => {
    const report = await pull({ refs: ["amd"], platform: "linux/x86_64" });
    expect(report.refs[0]).toMatchObject({ descriptor: amd.root, platform: { architecture: "amd64" } });
    expect(source.timesAsked(amd.config.digest)).toBe(1);
    const bytes = 8001 + amd.config.size;
    expect(report).toMatchObject({ fetched: { count: 4, bytes }, copied: { count: 4, bytes } });
  });

  it("an image of another platform is an error, and nothing is moved", async () => {
    expect(await failureOf(pull({ refs: ["amd"] }))).toMatchObject({
      code: "MOTE_NO_PLATFORM",
      details: { wanted: "linux/arm64", platforms: ["linux/amd64"] },
    });
    expect(destination.contents.size).toBe(0);
  });

  it("the configuration out of the cache does as well", async () => {
    await pull({ refs: ["amd"], platform: undefined });
    source.contents.clear();
    expect(await failureOf(pull({ refs: [amd.root.digest] }))).toMatchObject({ code: "MOTE_NO_PLATFORM" });
    await pull({ refs: [amd.root.digest], platform: "linux/amd64" });
  });

  it("an artifact, and an image that does not tell, are taken as they are", async () => {
    const artifact = addManifest(source, source.addJson({}, "application/vnd.acme.config"), []);
    const silent = addManifest(source, source.addJson({ rootfs: {} }, mediaTypes.ociConfig), []);
    for (const root of [artifact, silent]) {
      source.tags.set("multi", root);
      expect((await pull()).refs[0]?.descriptor.digest).toBe(root.digest);
    }
  });

  it("a configuration that is not what it is said to be is an error", async () => {
    source.lies.set(amd.config.digest, (bytes) => bytes.map((byte) => byte ^ 1));
    expect(await failureOf(pull({ refs: ["amd"] }))).toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
    source.lies.set(amd.config.digest, (bytes) => bytes.subarray(1));
    expect(await failureOf(pull({ refs: ["amd"] }))).toMatchObject({ code: "MOTE_SIZE_MISMATCH" });
  });
});
