import { type Descriptor, type Digest, MoteError, mediaTypes, NilCache } from "@mote/core";
import { beforeEach, describe, expect, it } from "vitest";
import { MemoryCache } from "../test/memory-cache.js";
import { MemoryDestination, MemorySource } from "../test/memory-endpoints.js";
import { type AddedImage, addImage, addIndex, addManifest, someBytes } from "../test/memory-images.js";
import { type TransferEvent, type TransferOptions, transfer } from "./index.js";

let source: MemorySource;
let destination: MemoryDestination;
let cache: MemoryCache;
let image: AddedImage;

beforeEach(() => {
  source = new MemorySource();
  destination = new MemoryDestination();
  cache = new MemoryCache();
  image = addImage(source, "v1", [5000, 3000, 1]);
});

function pull(more: Partial<TransferOptions> = {}) {
  return transfer({ source, destination, cache, refs: ["v1"], ...more });
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return MoteError.isInstance(error) ? error.code : error;
  }
  return "nothing was thrown";
}

async function expectNothingWrong(): Promise<void> {
  expect([...destination.tags]).toEqual([]);
  expect(await destination.isWhole()).toBe(true);
  expect(destination.openStreams).toBe(0);
  expect(cache.openWriters).toBe(0);
}

function blobsOf({ config, layers }: AddedImage): readonly Digest[] {
  return [config, ...layers].map(({ digest }) => digest);
}

describe("a transfer", () => {
  it("moves an image to the cache and the destination, fetches each blob once, and tags it last", async () => {
    const report = await pull();
    for (const digest of [...blobsOf(image), image.root.digest]) {
      expect(destination.contents.get(digest)).toEqual(source.contents.get(digest));
      expect(cache.has(digest)).toBe(true);
    }
    for (const digest of blobsOf(image)) expect(source.timesAsked(digest)).toBe(1);
    expect(destination.order.slice(-2)).toEqual([image.root.digest, "v1"]);
    expect(destination.tags.get("v1")).toEqual(image.root);
    const bytes = 8001 + image.config.size;
    expect(report).toMatchObject({
      refs: [{ ref: "v1", descriptor: image.root, tag: "v1" }],
      fetched: { count: 4, bytes },
      copied: { count: 4, bytes },
      hit: { count: 0, bytes: 0 },
      manifests: { count: 1, bytes: image.root.size, fetched: 1 },
      warnings: [],
    });
  });

  it("to a second destination fetches nothing, not even manifests", async () => {
    await pull();
    source.asked.length = 0;
    source.manifestsAsked.length = 0;
    const other = new MemoryDestination();
    const report = await pull({ destination: other });
    expect(source.asked).toEqual([]);
    expect(source.manifestsAsked).toEqual([]);
    expect(other.tags.get("v1")).toEqual(image.root);
    expect(report).toMatchObject({ fetched: { count: 0 }, hit: { count: 4 }, manifests: { fetched: 0 } });
  });

  it("of a cached digest does not use the source", async () => {
    await pull();
    source.resolve = () => Promise.reject(new MoteError("MOTE_UNREACHABLE", "no network"));
    const other = new MemoryDestination();
    await pull({ refs: [image.root.digest], destination: other });
    expect([...other.tags.keys()]).toEqual([image.root.digest]);
  });

  it("sends nothing that the destination already has", async () => {
    await pull();
    const report = await pull({ cache: new MemoryCache() });
    expect(report).toMatchObject({ skipped: { count: 4 }, fetched: { count: 0 }, copied: { count: 0 } });
  });

  it("stores no manifest in the cache without its blobs", async () => {
    await pull();
    const other = new MemoryCache();
    await pull({ cache: other });
    expect(other.digests.length).toBe(0);
    await pull({ cache: other, destination: undefined });
    expect(other.has(image.root.digest)).toBe(true);
  });

  it("without a destination stores the image in the cache under the given name", async () => {
    const report = await pull({ destination: undefined, tags: ["example.org/app:v1"] });
    expect(await cache.names()).toEqual(["example.org/app:v1"]);
    for (const digest of blobsOf(image)) expect(cache.has(digest)).toBe(true);
    expect(report.fetched.count).toBe(4);
    expect((await pull({ destination: undefined })).hit.count).toBe(4);
  });

  it("through a cache that stores nothing is complete", async () => {
    const report = await pull({ cache: new NilCache() });
    for (const digest of blobsOf(image)) expect(destination.contents.has(digest)).toBe(true);
    expect(report.fetched.count).toBe(4);
    expect(report.warnings).toEqual([]);
  });

  it("links blobs from a cache that supports it, without sending bytes", async () => {
    const linked = new Map<string, Digest>();
    cache = Object.assign(new MemoryCache(), {
      linkTo: async (digest: Digest, target: string) => linked.set(target, digest).size > 0,
    });
    Object.assign(destination, { linkable: ({ digest }: Descriptor) => `/layout/${digest}` });
    const report = await pull();
    expect(linked.size).toBe(4);
    expect(report).toMatchObject({ linked: { count: 4 }, copied: { count: 0 }, fetched: { count: 4 } });
  });

  it("moves everything below an index, and writes manifests after what they refer to", async () => {
    const inner = addIndex(source, [image.root]);
    const other = addImage(source, "other", [700], 7);
    const outer = addIndex(source, [inner, other.root, image.root]);
    source.tags.set("all", outer);
    const report = await pull({ refs: ["all"] });
    expect(report.manifests.count).toBe(4);
    const at = (one: Descriptor) => destination.order.indexOf(one.digest);
    expect(at(image.root)).toBeLessThan(at(inner));
    expect(at(inner)).toBeLessThan(at(outer));
    expect(at(other.root)).toBeLessThan(at(outer));
    expect(destination.order.at(-1)).toBe("all");
  });

  it("moves several references and their shared blobs once", async () => {
    const twin = addManifest(source, image.config, [...image.layers].reverse());
    source.tags.set("v2", twin);
    const report = await pull({ refs: ["v1", "v2"], tags: [undefined, "second"] });
    expect(report.refs.map(({ tag }) => tag)).toEqual(["v1", "second"]);
    expect(report.fetched.count).toBe(4);
  });

  it("uses the data of a descriptor if it is valid", async () => {
    const empty = { mediaType: mediaTypes.ociEmpty, data: btoa("{}") };
    const config = source.add(new TextEncoder().encode("{}"), mediaTypes.ociEmpty, empty);
    source.tags.set("artifact", addManifest(source, config, []));
    const report = await pull({ refs: ["artifact"] });
    expect(source.asked).toEqual([]);
    expect(report.fetched.count).toBe(0);
    expect(destination.contents.get(config.digest)).toEqual(new TextEncoder().encode("{}"));

    const lying = { ...config, data: btoa("[]") };
    source.tags.set("lying", addManifest(source, lying, []));
    await pull({ refs: ["lying"], cache: new MemoryCache(), destination: new MemoryDestination() });
    expect(source.timesAsked(config.digest)).toBe(1);
  });

  it("does not move foreign layers", async () => {
    const foreign = source.add(someBytes(10, 5), "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", {
      urls: ["https://example.org/layer"],
    });
    source.tags.set("windows", addManifest(source, image.config, [foreign]));
    const report = await pull({ refs: ["windows"] });
    expect(source.timesAsked(foreign.digest)).toBe(0);
    expect(report.foreign).toEqual({ count: 1, bytes: 10 });
  });

  it("moves an empty blob", async () => {
    const nothing = source.add(new Uint8Array(0), mediaTypes.octetStream);
    source.tags.set("empty", addManifest(source, image.config, [nothing]));
    await pull({ refs: ["empty"] });
    expect(destination.contents.get(nothing.digest)).toEqual(new Uint8Array(0));
  });

  it("reports its progress in events", async () => {
    const events: TransferEvent[] = [];
    await pull({ onEvent: (event) => events.push(event) });
    expect(events[0]).toEqual({ type: "plan", manifests: 1, blobs: 4, bytes: 8001 + image.config.size });
    for (const digest of blobsOf(image)) {
      const types = events.filter((event) => "digest" in event && event.digest === digest).map(({ type }) => type);
      expect(types).toEqual(["start", "progress", "done"]);
    }
  });

  it("continues if a listener throws", async () => {
    const onEvent = () => {
      throw new Error("error of the listener");
    };
    expect((await pull({ onEvent })).fetched.count).toBe(4);
  });

  it("calls the verify hook before it moves content, and stops if it throws", async () => {
    const rejection = new Error("no signature");
    const seen: unknown[] = [];
    const verify: TransferOptions["verify"] = (descriptor, manifest, { ref, bytes }) => {
      seen.push(ref, descriptor.digest, manifest.kind, bytes.byteLength);
      throw rejection;
    };
    expect(await codeOf(pull({ verify }))).toBe(rejection);
    expect(seen).toEqual(["v1", image.root.digest, "manifest", image.root.size]);
    expect(destination.contents.size).toBe(0);
    await expectNothingWrong();
  });

  it("rejects invalid options with a TypeError", async () => {
    await expect(pull({ concurrency: 0 })).rejects.toThrow(TypeError);
    await expect(pull({ tags: ["a", "b"] })).rejects.toThrow(TypeError);
    await expect(pull({ platform: "arm64/" })).rejects.toThrow(TypeError);
  });
});
