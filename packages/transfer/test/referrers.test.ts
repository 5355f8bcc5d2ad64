import { type Descriptor, type Digest, digestBytes, MoteError, mediaTypes, type Tag } from "@mote/core";
import { beforeEach, describe, expect, it } from "vitest";
import { type TransferOptions, transfer } from "../src/index.js";
import { MemoryCache } from "./memory-cache.js";
import { MemoryDestination, MemorySource } from "./memory-endpoints.js";
import { type AddedImage, addImage, addIndex, addManifest } from "./memory-images.js";

/** A source that lists the given referrers without checking them. */
class ListingSource extends MemorySource {
  readonly listed = new Map<Digest, Descriptor[]>();
  readonly named = new Map<Digest, Tag[]>();

  constructor() {
    super();
    this.referrers = (descriptor) => this.#list(this.listed, descriptor);
  }

  taggedReferrers(descriptor: Descriptor): AsyncIterable<Tag> {
    return this.#list(this.named, descriptor);
  }

  async *#list<T>(lists: ReadonlyMap<Digest, T[]>, { digest }: Descriptor): AsyncGenerator<T, void, undefined> {
    yield* lists.get(digest) ?? [];
  }
}

let source: ListingSource;
let destination: MemoryDestination;
let cache: MemoryCache;
let image: AddedImage;
let serial = 0;

beforeEach(() => {
  source = new ListingSource();
  destination = new MemoryDestination();
  cache = new MemoryCache();
  image = addImage(source, "v1", [500]);
});

function pull(more: Partial<TransferOptions> = {}) {
  return transfer({ source, destination, cache, refs: ["v1"], referrers: true, ...more });
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "nothing was thrown",
    (error: unknown) => (MoteError.isInstance(error) ? error.code : error),
  );

/** Adds a manifest that refers to `subject`, listed or not. */
function sign(subject: Descriptor, { isListed = true, ...more }: { isListed?: boolean; annotations?: object } = {}) {
  const config = source.addJson({}, mediaTypes.ociEmpty);
  const mediaType = mediaTypes.ociManifest;
  const body = { schemaVersion: 2, mediaType, artifactType: "a/b", config, layers: [], subject, ...more };
  const signature = source.addJson(
    { ...body, annotations: { serial: String(serial++), ...more.annotations } },
    mediaType,
  );
  if (isListed) listAs(subject, signature);
  return signature;
}

function listAs({ digest }: Descriptor, ...referrers: Descriptor[]): void {
  source.listed.set(digest, [...(source.listed.get(digest) ?? []), ...referrers]);
}

describe("referrers", () => {
  it("are moved with their own referrers, and described by their manifests", async () => {
    const signature = sign(image.root);
    const countersignature = sign(signature);
    const report = await pull();
    for (const one of [signature, countersignature]) expect(destination.contents.has(one.digest)).toBe(true);
    expect(report.referrers).toMatchObject([
      { descriptor: { digest: signature.digest, artifactType: "a/b" } },
      { descriptor: { digest: countersignature.digest, artifactType: "a/b" } },
    ]);
    expect(report.warnings).toEqual([]);
  });

  it("do not include listed manifests that refer to another subject", async () => {
    const other = addImage(source, "other", [100], 7);
    const stranger = sign(other.root, { isListed: false });
    listAs(image.root, stranger, other.root, image.root);
    const report = await pull();
    expect(report.referrers).toEqual([]);
    for (const one of [stranger, other.root, ...other.layers]) expect(destination.contents.has(one.digest)).toBe(false);
    expect(source.asked.map(({ digest }) => digest)).not.toContain(other.layers[0]?.digest);
  });

  it("do not include the platforms of an index that a registry returns as the referrers index", async () => {
    const index = addIndex(source, [image.root]);
    source.tags.set("v1", index);
    listAs(index, image.root);
    const report = await pull();
    expect(report.referrers).toEqual([]);
    expect(destination.contents.has(image.root.digest)).toBe(true);
  });

  it("count once if several manifests list them", async () => {
    const index = addIndex(source, [image.root]);
    source.tags.set("v1", index);
    const signature = sign(image.root);
    listAs(index, signature);
    const report = await pull();
    expect(report.referrers).toMatchObject([{ descriptor: { digest: signature.digest } }]);
  });

  it("that do not exist or are not manifests are skipped with a warning", async () => {
    const signature = sign(image.root);
    const gone = { mediaType: mediaTypes.ociManifest, digest: digestBytes(new Uint8Array(9)), size: 9 };
    const broken = source.add(new TextEncoder().encode("[]"), mediaTypes.ociManifest);
    const old = source.addJson({}, "application/vnd.acme.manifest.v1+json");
    listAs(image.root, gone, broken, old);
    const report = await pull();
    expect(report.referrers).toMatchObject([{ descriptor: { digest: signature.digest } }]);
    expect(report.warnings).toEqual([expect.stringMatching(/^skipped 3 referrers: /)]);
  });

  // Harbor before 2.11 adds the sizes of the layers (goharbor/harbor#20187), Google Artifact Registry was seen to list too small sizes (oras#1626).
  it.each([1188, -1, 5 * 1024 * 1024])("are moved even if their listed size is wrong by %d bytes", async (off) => {
    const signature = sign(image.root, { isListed: false });
    source.tags.set("signature", signature);
    listAs(image.root, { ...signature, size: signature.size + off });
    const report = await pull();
    expect(report.referrers).toMatchObject([{ descriptor: { digest: signature.digest, size: signature.size } }]);
    expect(destination.contents.has(signature.digest)).toBe(true);
    expect(cache.has(signature.digest)).toBe(true);
  });

  it("that do not match their digest are an error, whatever size is listed", async () => {
    const signature = sign(image.root, { isListed: false });
    source.tags.set("signature", signature);
    source.replacements.set(signature.digest, (bytes) => bytes.with(0, 32));
    listAs(image.root, { ...signature, size: signature.size + 7 });
    expect(await codeOf(pull())).toBe("MOTE_DIGEST_MISMATCH");
  });

  it("of an index are moved to the cache, even if one platform is selected", async () => {
    const platform = { os: "linux", architecture: "amd64" };
    const index = addIndex(source, [{ ...image.root, platform }]);
    source.tags.set("v1", index);
    const [ofIndex, ofImage] = [sign(index), sign(image.root)];
    const moved = async (more: Partial<TransferOptions>) => {
      const { referrers } = await pull({ platform: "linux/amd64", ...more });
      return referrers.map(({ descriptor }) => descriptor.digest).sort();
    };
    expect(await moved({})).toEqual([ofImage.digest]);
    expect(await moved({ destination: undefined })).toEqual([ofIndex.digest, ofImage.digest].sort());
    for (const { digest } of [ofIndex, ofImage]) expect(cache.has(digest)).toBe(true);
  });

  it("with missing blobs are an error, and nothing is tagged", async () => {
    const signature = sign(image.root);
    source.contents.delete(source.addJson({}, mediaTypes.ociEmpty).digest);
    expect(source.contents.has(signature.digest)).toBe(true);
    expect(await codeOf(pull())).toBe("MOTE_NOT_FOUND");
    expect(destination.tags.size).toBe(0);
  });

  it("can refer by their tags, which they keep, and can have referrers", async () => {
    const tag = `${image.root.digest.replace(":", "-")}.sig`;
    const payload = addManifest(source, image.config, []);
    source.named.set(image.root.digest, [{ name: tag, descriptor: payload }]);
    const signature = sign(payload);
    const report = await pull();
    expect(destination.tags.get(tag)?.digest).toBe(payload.digest);
    expect(destination.order.at(-1)).toBe("v1");
    expect(report.referrers).toMatchObject([
      { tag, descriptor: { digest: payload.digest } },
      { tag: undefined, descriptor: { digest: signature.digest } },
    ]);
  });

  it("with circular tags are moved once", async () => {
    const [one, other] = [addImage(source, "one", [10], 3).root, addImage(source, "other", [10], 4).root];
    const name = (of: Descriptor) => `${of.digest.replace(":", "-")}.sig`;
    for (const [of, descriptor] of [
      [image.root, one],
      [one, other],
      [other, one],
    ] as const) {
      source.named.set(of.digest, [{ name: name(of), descriptor }]);
    }
    const report = await pull();
    expect(report.manifests.count).toBe(3);
    const tags = [...destination.tags.keys()];
    expect(tags.sort()).toEqual([name(image.root), name(one), name(other), "v1"].sort());
  });

  it("are moved only on request", async () => {
    sign(image.root);
    source.named.set(image.root.digest, [{ name: "sha256-x.sig", descriptor: image.root }]);
    const report = await pull({ referrers: false });
    expect(report.referrers).toEqual([]);
    expect(report.manifests.count).toBe(1);
  });
});

describe("an endless source", () => {
  it.each(["subject", "tag"])("of nested referrers, by %s, is rejected at the limit", async (by) => {
    let asked = 0;
    const next = (of: Descriptor): Descriptor => {
      asked++;
      return sign(of, { isListed: false });
    };
    if (by === "subject") {
      source.referrers = async function* (descriptor) {
        yield next(descriptor);
      };
    } else {
      source.taggedReferrers = async function* (descriptor) {
        yield { name: `${descriptor.digest.replace(":", "-")}.sig`, descriptor: next(descriptor) };
      };
    }
    expect(await codeOf(pull())).toBe("MOTE_TOO_LARGE");
    expect(asked).toBeLessThan(20);
    expect(destination.contents.size).toBe(0);
  });

  it("of referrers to one manifest is rejected at the limit", async () => {
    let listed = 0;
    source.referrers = async function* () {
      for (;;) {
        listed++;
        yield { mediaType: mediaTypes.ociManifest, digest: digestBytes(Uint8Array.of(listed, listed >> 8)), size: 2 };
      }
    };
    expect(await codeOf(pull())).toBe("MOTE_TOO_LARGE");
    expect(listed).toBeLessThan(20_000);
    expect(source.manifestsAsked).toHaveLength(1);
  });

  it("of nested indexes is rejected at the limit, before all of them are read", async () => {
    let top = image.root;
    for (let depth = 0; depth < 100; depth++) top = addIndex(source, [top]);
    source.tags.set("v1", top);
    expect(await codeOf(pull())).toBe("MOTE_INVALID_MANIFEST");
    expect(source.manifestsAsked.length).toBeLessThan(20);
  });

  it("of manifests in an index is rejected at the limit, before any of them is read", async () => {
    const manifests = Array.from({ length: 10_001 }, (_, at) => ({
      mediaType: mediaTypes.ociManifest,
      digest: digestBytes(Uint8Array.of(at, at >> 8)),
      size: 2,
    }));
    source.tags.set("v1", addIndex(source, manifests));
    expect(await codeOf(pull())).toBe("MOTE_TOO_LARGE");
    expect(source.manifestsAsked).toHaveLength(1);
  });

  it("of blobs in many manifests is rejected at the limit, before any of them is fetched", async () => {
    const manifests = [0, 1, 2, 3].map((part) =>
      addManifest(
        source,
        image.config,
        Array.from({ length: 30_000 }, (_, at) => ({
          mediaType: "a/b",
          digest: digestBytes(Uint8Array.of(part, at, at >> 8)),
          size: 3,
        })),
      ),
    );
    source.tags.set("v1", addIndex(source, manifests));
    expect(await codeOf(pull())).toBe("MOTE_TOO_LARGE");
    expect(source.asked).toEqual([]);
  });
});
