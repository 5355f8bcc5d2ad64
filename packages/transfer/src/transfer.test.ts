import { type Descriptor, type Digest, MoteError, mediaTypes, NilCache } from "@mote/core";
import { beforeEach, describe, expect, it } from "vitest";
import { MemoryCache, ResumingCache } from "../test/memory-cache.js";
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

describe("a source with wrong content", () => {
  const truncated = (bytes: Uint8Array) => bytes.slice(0, -1);
  const longer = (bytes: Uint8Array) => new Uint8Array([...bytes, 1]);
  const other = (bytes: Uint8Array) => bytes.map((byte, at) => (at === 1500 ? byte ^ 1 : byte));
  const cases = [
    ["truncates a blob", truncated, "MOTE_SIZE_MISMATCH"],
    ["sends too much", longer, "MOTE_SIZE_MISMATCH"],
    ["sends other bytes", other, "MOTE_DIGEST_MISMATCH"],
  ] as const;

  for (const [what, replace, code] of cases) {
    for (const kind of ["stores", "stores and resumes", "stores nothing"] as const) {
      it(`(${what}) is detected by a cache that ${kind}: the blob is not stored, and no tag is set`, async () => {
        const layer = image.layers[0];
        if (layer === undefined) throw new Error("no layer");
        source.replacements.set(layer.digest, replace);
        cache = kind === "stores and resumes" ? new ResumingCache() : cache;
        const through = kind === "stores nothing" ? new NilCache() : cache;
        const failure = await pull({ cache: through }).catch((error: unknown) => error);
        expect(failure).toMatchObject({ code, details: { digest: layer.digest } });
        expect(destination.contents.has(layer.digest)).toBe(false);
        expect(cache.has(layer.digest)).toBe(false);
        expect(cache.suspended.has(layer.digest)).toBe(false);
        await expectNothingWrong();
      });
    }
  }

  it("is named in the error", async () => {
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    source.ref = { transport: "docker", registry: "one.example", repository: "app" };
    source.replacements.set(layer.digest, other);
    await expect(pull()).rejects.toMatchObject({ details: { digest: layer.digest, from: "one.example/app" } });
  });

  it("in a manifest is detected before it is parsed", async () => {
    source.replacements.set(image.root.digest, (bytes) => bytes.map((byte) => (byte === 0x32 ? 0x33 : byte)));
    expect(await codeOf(pull())).toBe("MOTE_DIGEST_MISMATCH");
    source.replacements.set(image.root.digest, truncated);
    expect(await codeOf(pull())).toBe("MOTE_SIZE_MISMATCH");
    expect(source.asked).toEqual([]);
    await expectNothingWrong();
  });

  it("or size of a manifest is an error with its location and digest", async () => {
    source.ref = { transport: "docker", registry: "one.example", repository: "app" };
    source.tags.set("v1", source.addJson({ errors: [] }, mediaTypes.ociManifest));
    await expect(pull()).rejects.toMatchObject({
      code: "MOTE_INVALID_MANIFEST",
      details: { registry: "one.example", repository: "app", digest: source.tags.get("v1")?.digest },
    });
    source.tags.set("v1", { ...image.root, size: 5 * 1024 * 1024 });
    expect(await codeOf(pull())).toBe("MOTE_TOO_LARGE");
    await expectNothingWrong();
  });

  it("in the media type of a manifest is replaced by that of the manifest itself", async () => {
    for (const mediaType of [mediaTypes.ociIndex, mediaTypes.dockerManifest, "text/plain"]) {
      source.tags.set("v1", { ...image.root, mediaType });
      const report = await pull();
      expect(report.refs).toMatchObject([{ resolved: image.root, descriptor: image.root }]);
      expect(destination.tags.get("v1")).toEqual(image.root);
    }
    const index = addIndex(source, [{ ...image.root, mediaType: "application/json" }]);
    source.tags.set("v1", { ...index, mediaType: mediaTypes.ociManifest });
    await pull();
    expect(destination.tags.get("v1")).toEqual(index);
  });

  it("in the size of a cached blob is detected", async () => {
    await pull({ destination: undefined });
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    source.tags.set("v2", addManifest(source, image.config, [{ ...layer, size: layer.size + 1 }]));
    expect(await codeOf(pull({ refs: ["v2"] }))).toBe("MOTE_SIZE_MISMATCH");
    expect(await codeOf(pull({ refs: ["v2"], destination: undefined }))).toBe("MOTE_SIZE_MISMATCH");
    await expectNothingWrong();
  });

  it("with contradicting sizes of a blob is rejected", async () => {
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    source.tags.set("v2", addManifest(source, image.config, [layer, { ...layer, size: 1 }]));
    expect(await codeOf(pull({ refs: ["v2"] }))).toBe("MOTE_INVALID_MANIFEST");
  });

  it("with endlessly nested indexes is rejected", async () => {
    let nested = image.root;
    for (let depth = 0; depth < 30; depth++) nested = addIndex(source, [nested]);
    source.tags.set("deep", nested);
    expect(await codeOf(pull({ refs: ["deep"] }))).toBe("MOTE_INVALID_MANIFEST");
    await expectNothingWrong();
  });
});

describe("a cache that cannot be written", () => {
  const full = new MoteError("MOTE_NO_SPACE", "the disk is full");
  const cases = [
    ["at createMote", { createMote: full }],
    ["at the first write", { write: { at: 1, error: full } }],
    ["at the third write", { write: { at: 3, error: full } }],
    ["at close", { close: full }],
  ] as const;

  for (const [when, failures] of cases) {
    it(`(${when}) is reported, and the destination gets everything`, async () => {
      cache.failures = failures;
      const events: TransferEvent[] = [];
      const report = await pull({ onEvent: (event) => events.push(event) });
      expect(destination.tags.get("v1")).toEqual(image.root);
      for (const digest of blobsOf(image)) {
        expect(destination.contents.get(digest)).toEqual(source.contents.get(digest));
      }
      expect(report.warnings.length).toBeGreaterThan(0);
      expect(events.filter(({ type }) => type === "warning").length).toBe(report.warnings.length);
      expect(cache.openWriters).toBe(0);
    });

    it(`(${when}) fails a transfer without a destination`, async () => {
      cache.failures = failures;
      expect(await codeOf(pull({ destination: undefined, tags: ["v1"] }))).toBe("MOTE_NO_SPACE");
      expect(await cache.names()).toEqual([]);
      expect(cache.openWriters).toBe(0);
    });
  }

  it("gets no manifest without its blobs", async () => {
    cache.failures = { write: { at: 3, error: full } };
    await pull();
    expect(cache.has(image.config.digest)).toBe(true);
    expect(cache.has(image.root.digest)).toBe(false);
  });

  it("does not prevent the detection of wrong bytes", async () => {
    cache.failures = { write: { at: 3, error: full } };
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    source.replacements.set(layer.digest, (bytes) => bytes.map((byte, at) => (at === 4000 ? byte ^ 1 : byte)));
    expect(await codeOf(pull())).toBe("MOTE_DIGEST_MISMATCH");
    expect(destination.contents.has(layer.digest)).toBe(false);
    await expectNothingWrong();
  });
});

describe("a damaged cache", () => {
  it("is reported, and the blob is fetched again", async () => {
    await pull({ destination: undefined });
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    for (const damage of [someBytes(5000, 999), someBytes(4000, 999)]) {
      cache.plant(layer.digest, damage, layer.mediaType);
      destination = new MemoryDestination();
      const report = await pull();
      expect(report.fetched.count).toBe(1);
      expect(report.warnings.length).toBe(1);
      expect(destination.contents.get(layer.digest)).toEqual(source.contents.get(layer.digest));
      expect(cache.bytesOf(layer.digest)).toEqual(source.contents.get(layer.digest));
    }
  });

  it("is reported for a manifest, too", async () => {
    await pull({ destination: undefined });
    cache.plant(image.root.digest, someBytes(100, 1), "");
    const report = await pull();
    expect(report).toMatchObject({ manifests: { fetched: 1 }, fetched: { count: 0 } });
    expect(cache.bytesOf(image.root.digest)).toEqual(source.contents.get(image.root.digest));
  });

  it("that cannot be read does not affect the destination", async () => {
    await pull({ destination: undefined });
    cache.failures = { read: new MoteError("MOTE_IO", "the disk is broken") };
    const report = await pull();
    expect(destination.tags.get("v1")).toEqual(image.root);
    expect(await destination.isWhole()).toBe(true);
    expect(report.warnings.length).toBeGreaterThan(0);
  });
});

describe("a destination that wraps the errors of its input", () => {
  beforeEach(() => {
    const take = destination.blob.bind(destination);
    destination.blob = (...args) =>
      take(...args).catch((cause: unknown) => {
        throw new MoteError("MOTE_REGISTRY", "the upload was not finished", { cause });
      });
  });

  it("does not hide an error of the source", async () => {
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    source.replacements.set(layer.digest, (bytes) => bytes.map((byte, at) => (at === 4500 ? byte ^ 1 : byte)));
    expect(await codeOf(pull())).toBe("MOTE_DIGEST_MISMATCH");
    await expectNothingWrong();
  });

  it("does not hide an error of the cache", async () => {
    await pull({ destination: undefined });
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    cache.plant(layer.digest, someBytes(5000, 999), layer.mediaType);
    expect((await pull()).fetched.count).toBe(1);
    expect(destination.contents.get(layer.digest)).toEqual(source.contents.get(layer.digest));
  });
});

describe("a destination that fails", () => {
  const rejection = new MoteError("MOTE_FORBIDDEN", "not here");
  for (const [where, failAfter] of [
    ["has", 0],
    ["blob", 0],
    ["blob", 2000],
    ["manifest", 0],
    ["tag", 0],
  ] as const) {
    it(`at ${where} (after ${failAfter} bytes) fails the transfer and gets no tag`, async () => {
      destination.failures = { [where]: rejection };
      destination.failAfter = failAfter;
      expect(await codeOf(pull())).toBe("MOTE_FORBIDDEN");
      await expectNothingWrong();
    });
  }

  it("during a fetch aborts the fetch", async () => {
    destination.failures = { blob: rejection };
    source.gate = (_, at) => (at === 0 ? Promise.resolve() : new Promise(() => {}));
    expect(await codeOf(pull({ concurrency: 1 }))).toBe("MOTE_FORBIDDEN");
    await expectNothingWrong();
  });
});

describe("an abort", () => {
  it("rejects with its reason and leaves no partial content", async () => {
    const reason = new Error("aborted");
    const controller = new AbortController();
    source.gate = async (_, at) => {
      if (at >= 2000) controller.abort(reason);
    };
    expect(await codeOf(pull({ signal: controller.signal }))).toBe(reason);
    await expectNothingWrong();
  });

  for (const where of ["resolve", "manifest", "blob", "verify"] as const) {
    it(`ends a transfer that waits for code which ignores the signal (${where})`, async () => {
      const reason = new Error("aborted");
      const controller = new AbortController();
      const never = () => {
        setImmediate(() => controller.abort(reason));
        return new Promise<never>(() => {});
      };
      if (where !== "verify") source[where] = never;
      const verify = where === "verify" ? never : undefined;
      expect(await codeOf(pull({ signal: controller.signal, verify }))).toBe(reason);
      await expectNothingWrong();
    });
  }

  it("before the start causes no requests", async () => {
    const reason = new Error("aborted before the start");
    expect(await codeOf(pull({ signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(source.manifestsAsked).toEqual([]);
  });

  it("keeps received bytes in a cache that can resume, and the next transfer fetches only the rest", async () => {
    cache = new ResumingCache();
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    source.breaks.set(layer.digest, { after: 3000, error: new MoteError("MOTE_UNREACHABLE", "connection reset") });
    expect(await codeOf(pull())).toBe("MOTE_UNREACHABLE");
    expect(cache.suspended.get(layer.digest)?.byteLength).toBe(3000);
    source.breaks.clear();
    const events: TransferEvent[] = [];
    const report = await pull({ onEvent: (event) => events.push(event) });
    expect(source.asked.filter(({ digest }) => digest === layer.digest).map(({ start }) => start)).toEqual([0, 3000]);
    expect(events).toContainEqual({ type: "resume", digest: layer.digest, size: 5000, offset: 3000 });
    expect(destination.contents.get(layer.digest)).toEqual(source.contents.get(layer.digest));
    expect(report.warnings).toEqual([]);
  });

  it("followed by damage to the ingest file causes one more fetch and no wrong bytes", async () => {
    cache = new ResumingCache();
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    cache.suspended.set(layer.digest, someBytes(3000, 12345));
    await pull();
    expect(source.asked.filter(({ digest }) => digest === layer.digest).map(({ start }) => start)).toEqual([3000, 0]);
    expect(destination.contents.get(layer.digest)).toEqual(source.contents.get(layer.digest));
  });
});

describe("several transfers that share a cache", () => {
  it("fetch each blob once", async () => {
    const destinations = Array.from({ length: 5 }, () => new MemoryDestination());
    await Promise.all(destinations.map((one) => pull({ destination: one })));
    for (const digest of blobsOf(image)) expect(source.timesAsked(digest)).toBe(1);
    for (const one of destinations) {
      expect(one.tags.get("v1")).toEqual(image.root);
      expect(await one.isWhole()).toBe(true);
    }
  });

  it("are independent of each other's abort: the fetch continues for the others", async () => {
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    const reason = new Error("the first caller aborted");
    const controller = new AbortController();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let reached = () => {};
    const halfway = new Promise<void>((resolve) => {
      reached = resolve;
    });
    source.gate = async (digest, at) => {
      if (digest !== layer.digest || at < 2000) return;
      reached();
      await held;
    };
    const first = codeOf(pull({ signal: controller.signal }));
    await halfway;
    const other = new MemoryDestination();
    let started = () => {};
    const joined = new Promise<void>((resolve) => {
      started = resolve;
    });
    const second = pull({
      destination: other,
      onEvent: (event) => {
        if (event.type === "start" && event.digest === layer.digest) started();
      },
    });
    await joined;
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(reason);
    expect(await first).toBe(reason);
    release();
    await second;
    expect(source.timesAsked(layer.digest)).toBe(1);
    expect(other.tags.get("v1")).toEqual(image.root);
    expect(destination.tags.size).toBe(0);
    expect(destination.openStreams).toBe(0);
  });

  it("do not share errors: each waiting transfer uses its own source", async () => {
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("no layer");
    const broken = new MemorySource();
    addImage(broken, "v1", [5000, 3000, 1]);
    broken.breaks.set(layer.digest, { after: 2000, error: new MoteError("MOTE_UNREACHABLE", "connection reset") });
    const other = new MemoryDestination();
    const results = await Promise.allSettled([
      pull({ source: broken, destination: new MemoryDestination() }),
      pull({ destination: other }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(other.contents.get(layer.digest)).toEqual(source.contents.get(layer.digest));
  });
});

describe("a lease", () => {
  it("covers all content until it is tagged", async () => {
    const resuming = new ResumingCache();
    destination.tag = async () => {
      expect(resuming.leases).toBe(1);
    };
    await pull({ cache: resuming });
    expect(new Set(resuming.leased)).toEqual(new Set([...blobsOf(image), image.root.digest]));
    expect(resuming.leases).toBe(0);
  });
});
