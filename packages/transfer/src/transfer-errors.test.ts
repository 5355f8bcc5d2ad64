import { type Digest, MoteError, mediaTypes, NilCache } from "@mote/core";
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
