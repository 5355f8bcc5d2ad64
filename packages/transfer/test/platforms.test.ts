import { type Descriptor, mediaTypes, type Platform } from "@mote/core";
import { beforeEach, describe, expect, it } from "vitest";
import { type TransferOptions, transfer } from "../src/index.js";
import { MemoryCache, ResumingCache } from "./memory-cache.js";
import { MemoryDestination, MemorySource } from "./memory-endpoints.js";
import { type AddedImage, addImage, addIndex, addManifest, someBytes } from "./memory-images.js";

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

describe("a transfer of an index with a platform", () => {
  it("sends only the manifest of the platform and tags it", async () => {
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

  it("names the index in the cache, which has the index and the platform", async () => {
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

  it("stores the indexes of a platform in the cache only with the platform", async () => {
    const inner = addIndex(source, [linux(arm.root, "arm64")]);
    const other = addIndex(source, [linux(amd.root, "amd64")]);
    const outer = tagIndex([other, inner]);
    await pull();
    expect(cache.has(outer.digest) && cache.has(inner.digest)).toBe(true);
    expect(cache.has(other.digest)).toBe(false);
    // The destination already has the blobs, so they are not fetched.
    cache = new MemoryCache();
    await pull();
    expect(cache.digests.length).toBe(0);
  });

  it("does not fetch the index again for another platform or all platforms", async () => {
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

  it("fails for a missing platform and lists the available ones", async () => {
    tagIndex([linux(amd.root, "arm", "v7"), linux(amd.root, "s390x")]);
    expect(await failureOf(pull({ platform: "linux/amd64" }))).toMatchObject({
      code: "MOTE_NO_PLATFORM",
      details: { platforms: ["linux/arm/v7", "linux/s390x"] },
    });
    expect(destination.tags.size).toBe(0);
  });

  it("limits the number and length of listed platforms", async () => {
    const many = Array.from({ length: 300 }, (_, at) => linux(amd.root, `a${at}`.padEnd(500, "x")));
    tagIndex(many);
    const failure = await failureOf(pull());
    expect(failure).toMatchObject({ code: "MOTE_NO_PLATFORM" });
    expect(String(failure).length).toBeLessThan(3000);
  });

  it("selects a compatible 32-bit platform with a warning if there is none better", async () => {
    tagIndex([linux(amd.root, "amd64"), linux(arm.root, "arm", "v7")]);
    const report = await pull();
    expect(report.refs[0]?.descriptor.digest).toBe(arm.root.digest);
    expect(report.warnings).toEqual([expect.stringContaining("linux/arm/v7")]);
  });

  it("finds the platform of an unlabelled entry in its config", async () => {
    const config = source.addJson({ os: "linux", architecture: "aarch64" }, mediaTypes.ociConfig);
    const found = addManifest(source, config, [source.add(someBytes(10, 9), mediaTypes.ociLayer)]);
    tagIndex([amd.root, found]);
    const report = await pull();
    expect(report.refs[0]?.descriptor.digest).toBe(found.digest);
    // Both configs were fetched once.
    expect(source.timesAsked(config.digest)).toBe(1);
    expect(report.fetched).toEqual({ count: 3, bytes: config.size + amd.config.size + 10 });
  });

  it("ignores attestations and artifacts of the index", async () => {
    const config = source.addJson({ os: "unknown", architecture: "unknown" }, mediaTypes.ociConfig);
    const attestation = addManifest(source, config, []);
    const artifact = addManifest(source, source.addJson({}, "application/x"), []);
    tagIndex([linux(attestation, "unknown"), attestation, artifact]);
    expect(await failureOf(pull())).toMatchObject({ code: "MOTE_NO_PLATFORM" });
  });

  it("searches repeated indexes once", async () => {
    let index = addIndex(source, [amd.root]);
    for (let depth = 0; depth < 30; depth++)
      index = addIndex(source, [index, index, { ...index, annotations: { a: "b" } }]);
    source.tags.set("multi", index);
    expect(await failureOf(pull())).toMatchObject({ code: "MOTE_NO_PLATFORM" });
  });
});

describe("a transfer of a single image with a platform", () => {
  it("moves the image if its config has that platform, and fetches the config once", async () => {
    const report = await pull({ refs: ["amd"], platform: "linux/x86_64" });
    expect(report.refs[0]).toMatchObject({ descriptor: amd.root, platform: { architecture: "amd64" } });
    expect(source.timesAsked(amd.config.digest)).toBe(1);
    const bytes = 8001 + amd.config.size;
    expect(report).toMatchObject({ fetched: { count: 4, bytes }, copied: { count: 4, bytes } });
  });

  it("fails for an image of another platform and moves nothing", async () => {
    expect(await failureOf(pull({ refs: ["amd"] }))).toMatchObject({
      code: "MOTE_NO_PLATFORM",
      details: { wanted: "linux/arm64", platforms: ["linux/amd64"] },
    });
    expect(destination.contents.size).toBe(0);
  });

  it("uses the cached config", async () => {
    await pull({ refs: ["amd"], platform: undefined });
    source.contents.clear();
    expect(await failureOf(pull({ refs: [amd.root.digest] }))).toMatchObject({ code: "MOTE_NO_PLATFORM" });
    await pull({ refs: [amd.root.digest], platform: "linux/amd64" });
  });

  it("moves artifacts and images without a platform", async () => {
    const artifact = addManifest(source, source.addJson({}, "application/vnd.acme.config"), []);
    const silent = addManifest(source, source.addJson({ rootfs: {} }, mediaTypes.ociConfig), []);
    for (const root of [artifact, silent]) {
      source.tags.set("multi", root);
      expect((await pull()).refs[0]?.descriptor.digest).toBe(root.digest);
    }
  });

  it("fails for a config that does not match its descriptor", async () => {
    source.replacements.set(amd.config.digest, (bytes) => bytes.map((byte) => byte ^ 1));
    expect(await failureOf(pull({ refs: ["amd"] }))).toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
    source.replacements.set(amd.config.digest, (bytes) => bytes.subarray(1));
    expect(await failureOf(pull({ refs: ["amd"] }))).toMatchObject({ code: "MOTE_SIZE_MISMATCH" });
  });
});
