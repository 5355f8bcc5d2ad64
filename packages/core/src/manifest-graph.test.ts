import { describe, expect, it } from "vitest";
import type { Descriptor } from "./descriptor.js";
import { type Digest, digestBytes } from "./digest.js";
import { type Manifest, maxManifestBytes } from "./manifest.js";
import { closureFrom, isForeignLayer, lastUseOf, manifestChildren, readClosure } from "./manifest-graph.js";
import { mediaTypes } from "./media-type.js";

const urls = ["https://elsewhere.example/layer"];

function descriptor(text: string, mediaType: string = mediaTypes.ociLayer, more: Partial<Descriptor> = {}): Descriptor {
  return { mediaType, digest: digestBytes(new TextEncoder().encode(text)), size: text.length, ...more };
}

function image(layers: readonly Descriptor[], config = descriptor("config", mediaTypes.ociConfig)): Manifest {
  return { kind: "manifest", mediaType: mediaTypes.ociManifest, config, layers };
}

function index(manifests: readonly Descriptor[]): Manifest {
  return { kind: "index", mediaType: mediaTypes.ociIndex, manifests };
}

describe("isForeignLayer", () => {
  const windows = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  const oci = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

  it.each([windows, oci, "application/vnd.oci.image.layer.nondistributable.v1.tar"])(
    "takes %s with urls for a foreign layer, and without urls for an ordinary one",
    (mediaType) => {
      expect(isForeignLayer(descriptor("x", mediaType, { urls }))).toBe(true);
      expect(isForeignLayer(descriptor("x", mediaType))).toBe(false);
      expect(isForeignLayer(descriptor("x", mediaType, { urls: [] }))).toBe(false);
    },
  );

  it.each([mediaTypes.ociLayer, mediaTypes.dockerLayerGzip, "application/vnd.acme.foreign.key", "text/plain"])(
    "takes %s for an ordinary layer, whatever its urls say",
    (mediaType) => {
      expect(isForeignLayer(descriptor("x", mediaType, { urls }))).toBe(false);
    },
  );
});

describe("manifestChildren", () => {
  it("treats a layer with a manifest's media type as content, and such an entry of an index as a manifest", () => {
    const nested = descriptor("nested", mediaTypes.ociManifest);
    expect(manifestChildren(image([nested])).blobs).toContain(nested);
    expect(manifestChildren(image([nested])).manifests).toEqual([]);
    expect(manifestChildren(index([nested]))).toEqual({ manifests: [nested], blobs: [], foreign: [] });
  });

  it.each([
    mediaTypes.ociLayerGzip,
    mediaTypes.dockerLayerGzip,
    mediaTypes.ociConfig,
    mediaTypes.dockerConfig,
    mediaTypes.ociEmpty,
    "application/vnd.buildkit.cacheconfig.v0",
  ])("treats %s in an index, as in build caches, as content", (mediaType) => {
    const other = descriptor("other", mediaType);
    expect(manifestChildren(index([other]))).toEqual({ manifests: [], blobs: [other], foreign: [] });
  });

  it("treats entries of an index with an unknown media type as manifests unless they are too large", () => {
    const other = descriptor("other", "application/vnd.acme.thing");
    expect(manifestChildren(index([other]))).toEqual({ manifests: [other], blobs: [], foreign: [] });
    const large = { ...other, size: maxManifestBytes + 1 };
    expect(manifestChildren(index([large]))).toEqual({ manifests: [], blobs: [large], foreign: [] });
  });

  it("returns no config for a manifest without one", () => {
    const layer = descriptor("layer");
    const manifest: Manifest = { kind: "manifest", mediaType: mediaTypes.ociArtifact, layers: [layer] };
    expect(manifestChildren(manifest)).toEqual({ manifests: [], blobs: [layer], foreign: [] });
  });

  it("never treats a config as a foreign layer", () => {
    const config = descriptor("config", "application/vnd.oci.image.layer.nondistributable.v1.tar", { urls });
    expect(manifestChildren(image([], config))).toEqual({ manifests: [], blobs: [config], foreign: [] });
  });
});

describe("closures", () => {
  const layer = descriptor("layer");
  const foreign = descriptor("far", "application/vnd.oci.image.layer.nondistributable.v1.tar", { urls });
  const amd = descriptor("amd", mediaTypes.ociManifest);
  const arm = descriptor("arm", mediaTypes.ociManifest);
  const inner = descriptor("inner", mediaTypes.ociIndex);
  const root = descriptor("root", mediaTypes.ociIndex);
  const known = new Map<Digest, Manifest>([
    [root.digest, index([inner, amd])],
    [inner.digest, index([amd, arm])],
    [amd.digest, image([layer, foreign])],
  ]);
  const read = ({ digest }: { readonly digest: Digest }) => {
    const manifest = known.get(digest);
    return manifest && manifestChildren(manifest);
  };

  it("contain everything below a root once, stored or not", async () => {
    const config = descriptor("config", mediaTypes.ociConfig);
    const closure = closureFrom(root, read);
    expect([...closure.digests].sort()).toEqual(
      [root, inner, amd, arm, config, layer, foreign].map(({ digest }) => digest).sort(),
    );
    expect([...closure.digests][0]).toBe(root.digest);
    expect([...closure.manifests].sort()).toEqual([root, inner, amd, arm].map(({ digest }) => digest).sort());
    expect([...closure.foreign]).toEqual([foreign.digest]);
    expect(closure.isRead).toBe(true);
    expect(await readClosure(root, async (node) => read(node))).toEqual(closure);
  });

  it("read each manifest once", () => {
    const asked: Digest[] = [];
    closureFrom(root, (node) => {
      asked.push(node.digest);
      return read(node);
    });
    expect(asked).toHaveLength(new Set(asked).size);
  });

  it("contain only the root if it is not stored or not a manifest", () => {
    for (const alone of [descriptor("gone", mediaTypes.ociManifest), layer]) {
      const { digests, isRead } = closureFrom(alone, read);
      expect({ digests: [...digests], isRead }).toEqual({ digests: [alone.digest], isRead: false });
    }
  });

  it("contain entries of an unknown media type, and what such manifests refer to", () => {
    const odd = { ...amd, mediaType: "text/plain" };
    const thing = descriptor("thing", "application/vnd.acme.thing");
    const top = descriptor("top", mediaTypes.ociIndex);
    const { digests, manifests } = closureFrom(top, (node) =>
      node.digest === top.digest ? manifestChildren(index([odd, thing])) : read(node),
    );
    expect([...manifests]).toEqual([top.digest, amd.digest]);
    expect(digests.has(layer.digest) && digests.has(thing.digest)).toBe(true);
  });

  it("include what a digest refers to if any index lists it as a manifest", () => {
    const asContent = { ...amd, mediaType: "application/vnd.acme.thing" };
    const both = descriptor("both", mediaTypes.ociIndex);
    const { digests } = closureFrom(both, (node) =>
      node.digest === both.digest ? manifestChildren(index([asContent, inner])) : read(node),
    );
    expect(digests.has(layer.digest)).toBe(true);
  });

  it("treat a layer as foreign only if no manifest lists it otherwise", () => {
    const ordinary = descriptor("ordinary", mediaTypes.ociManifest);
    const top = descriptor("top", mediaTypes.ociIndex);
    const manifests = [
      [amd, ordinary],
      [ordinary, amd],
    ];
    for (const entries of manifests) {
      const closure = closureFrom(top, (node) => {
        if (node.digest === top.digest) return manifestChildren(index(entries));
        if (node.digest === ordinary.digest) return manifestChildren(image([{ ...foreign, urls: undefined }]));
        return read(node);
      });
      expect([...closure.foreign]).toEqual([]);
      expect(closure.digests.has(foreign.digest)).toBe(true);
    }
  });

  it("support very deeply nested indexes", () => {
    const depth = 50_000;
    const at = (level: number) => descriptor(`level ${level}`, mediaTypes.ociIndex);
    let level = 0;
    const { digests } = closureFrom(at(0), () => (level < depth ? manifestChildren(index([at(++level)])) : undefined));
    expect(digests.size).toBe(depth + 1);
  });
});

describe("lastUseOf", () => {
  const [one, other] = [descriptor("one").digest, descriptor("other").digest];

  it("is the latest use of a manifest or setting of a tag", () => {
    const uses = new Map([
      [one, 10],
      [other, 20],
    ]);
    expect(lastUseOf([one, other], [], (digest) => uses.get(digest))).toBe(20);
    expect(lastUseOf([one, other], [{ setMs: 15 }, {}], (digest) => uses.get(digest))).toBe(20);
    expect(lastUseOf([one], [{ setMs: 15 }, { setMs: 12 }], (digest) => uses.get(digest))).toBe(15);
  });

  it("is undefined if no use is known", () => {
    expect(lastUseOf([one], [{}], () => undefined)).toBeUndefined();
  });
});
