import { describe, expect, it } from "vitest";
import { digestBytes } from "./digest.js";
import { MoteError } from "./error.js";
import {
  checkImageLayout,
  childDescriptors,
  maxManifestBytes,
  parseDescriptor,
  parseLayoutIndex,
  parseManifest,
  sniffManifestType,
} from "./manifest.js";
import { mediaTypes } from "./media-type.js";

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const descriptor = (name: string, more: object = {}) => ({
  mediaType: mediaTypes.octetStream,
  digest: digestBytes(bytes(name)),
  size: name.length,
  ...more,
});
const manifest = { schemaVersion: 2, config: descriptor("config"), layers: [descriptor("one"), descriptor("two")] };
const index = { schemaVersion: 2, manifests: [descriptor("manifest", { mediaType: mediaTypes.ociManifest })] };

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    return MoteError.isInstance(error) ? error.code : String(error);
  }
  return undefined;
}

describe("parseManifest", () => {
  it.each([mediaTypes.ociManifest, mediaTypes.dockerManifest])("reads an image manifest as %s", (mediaType) => {
    const parsed = parseManifest(bytes({ ...manifest, mediaType }), mediaType);
    expect(parsed).toEqual({ kind: "manifest", mediaType, config: manifest.config, layers: manifest.layers });
  });

  it.each([["linux/amd64"], [7], [{ os: 1, architecture: {} }], [{}], [[]]])(
    "reads an index with the platform %j",
    (platform) => {
      const [entry] = index.manifests;
      const parsed = parseManifest(bytes({ ...index, manifests: [{ ...entry, platform }] }), mediaTypes.ociIndex);
      expect(childDescriptors(parsed)).toEqual([entry]);
    },
  );

  it.each([mediaTypes.ociIndex, mediaTypes.dockerManifestList])("reads an index as %s", (mediaType) => {
    const parsed = parseManifest(bytes({ ...index, mediaType }), mediaType);
    expect(parsed).toEqual({ kind: "index", mediaType, manifests: index.manifests });
  });

  it("keeps artifact type, subject and annotations", () => {
    const more = { artifactType: "a/b", subject: descriptor("subject"), annotations: { key: "value" } };
    expect(parseManifest(bytes({ ...manifest, ...more }), mediaTypes.ociManifest)).toMatchObject(more);
  });

  it("omits fields that are null, as written by Go", () => {
    const layers = [descriptor("one", { urls: null, annotations: null, platform: null })];
    const body = { ...manifest, layers, subject: null, annotations: null };
    const parsed = parseManifest(bytes(body), mediaTypes.ociManifest);
    expect(parsed).toEqual({
      kind: "manifest",
      mediaType: mediaTypes.ociManifest,
      config: manifest.config,
      layers: [descriptor("one")],
    });
    expect(parseManifest(bytes({ schemaVersion: 2, manifests: null }), mediaTypes.ociIndex)).toMatchObject({
      manifests: [],
    });
  });

  it("keeps unknown fields of a descriptor", () => {
    const layers = [descriptor("one", { "org.example": 1 })];
    const parsed = parseManifest(bytes({ ...manifest, layers }), mediaTypes.ociManifest);
    expect(childDescriptors(parsed)[1]).toEqual(layers[0]);
  });

  it.each<[string, unknown, string]>([
    ["text that is not JSON", "{", mediaTypes.ociManifest],
    ["JSON that is not an object", [], mediaTypes.ociManifest],
    ["an object of another kind", { errors: [{ code: "DENIED" }] }, mediaTypes.ociManifest],
    ["a layer that is null", { ...manifest, layers: [null] }, mediaTypes.ociManifest],
    ["a config without a digest", { ...manifest, config: {} }, mediaTypes.ociManifest],
    ["a size as text", { ...manifest, layers: [descriptor("one", { size: "3" })] }, mediaTypes.ociManifest],
    ["a size of null", { ...manifest, layers: [descriptor("one", { size: null })] }, mediaTypes.ociManifest],
    ["a size beyond 2^53", { ...manifest, layers: [descriptor("one", { size: 2 ** 60 })] }, mediaTypes.ociManifest],
    ["a Docker manifest of schema version 1", { schemaVersion: 1, name: "a", fsLayers: [] }, mediaTypes.ociManifest],
    ["an invalid digest", { ...manifest, config: { ...manifest.config, digest: "sha256:1" } }, mediaTypes.ociManifest],
    ["a size below zero", { ...manifest, config: { ...manifest.config, size: -1 } }, mediaTypes.ociManifest],
    [
      "a size that is not an integer",
      { ...manifest, config: { ...manifest.config, size: 1.5 } },
      mediaTypes.ociManifest,
    ],
    ["layers and manifests at once", { ...manifest, ...index }, mediaTypes.ociManifest],
    ["layers and manifests at once, given as an index", { ...manifest, ...index }, mediaTypes.ociIndex],
  ])("rejects %s", (_, body, mediaType) => {
    expect(codeOf(() => parseManifest(bytes(body), mediaType))).toBe("MOTE_INVALID_MANIFEST");
  });

  it("rejects more bytes than the limit before parsing them", () => {
    const body = new Uint8Array(maxManifestBytes + 1);
    expect(codeOf(() => parseManifest(body, mediaTypes.ociManifest))).toBe("MOTE_TOO_LARGE");
  });

  it("names the invalid field", () => {
    const act = () =>
      parseManifest(bytes({ ...manifest, config: { ...manifest.config, size: "1" } }), mediaTypes.ociManifest);
    expect(act).toThrow(expect.objectContaining({ details: { field: "config.size" } }));
  });
});

describe("childDescriptors", () => {
  it("returns config and layers of an image manifest in order, without its subject", () => {
    const body = bytes({ ...manifest, subject: descriptor("subject") });
    const children = childDescriptors(parseManifest(body, mediaTypes.ociManifest));
    expect(children).toEqual([manifest.config, ...manifest.layers]);
  });

  it("returns the manifests of an index", () => {
    expect(childDescriptors(parseManifest(bytes(index), mediaTypes.ociIndex))).toEqual(index.manifests);
  });
});

describe("sniffManifestType", () => {
  it.each<[string, unknown, string]>([
    ["the type that the body names", { ...manifest, mediaType: mediaTypes.dockerManifest }, mediaTypes.dockerManifest],
    ["an OCI manifest where it has config and layers", manifest, mediaTypes.ociManifest],
    ["an OCI index where it has manifests", index, mediaTypes.ociIndex],
  ])("returns %s", (_, body, mediaType) => {
    expect(sniffManifestType(bytes(body))).toBe(mediaType);
  });

  it("returns the given type if the body does not name another", () => {
    expect(sniffManifestType(bytes({ ...manifest, mediaType: undefined }), mediaTypes.dockerManifest)).toBe(
      mediaTypes.dockerManifest,
    );
    expect(sniffManifestType(bytes(index), mediaTypes.dockerManifest)).toBe(mediaTypes.ociIndex);
  });

  it.each<[string, unknown]>([
    ["text that is not JSON", "nonsense"],
    ["neither shape", { schemaVersion: 2 }],
    ["null", null],
  ])("rejects %s", (_, body) => {
    expect(codeOf(() => sniffManifestType(bytes(body)))).toBe("MOTE_INVALID_MANIFEST");
  });
});

describe("parseDescriptor", () => {
  it("returns a descriptor with all its fields", () => {
    const full = descriptor("x", {
      urls: ["https://example.com/x"],
      annotations: { a: "b" },
      data: "eA==",
      artifactType: "a/b",
      platform: { architecture: "arm64", os: "linux", variant: "v8", "os.version": "1", "os.features": ["f"] },
    });
    expect(parseDescriptor(full)).toEqual(full);
  });

  it.each([undefined, null, {}, [], "x"])("rejects %j", (json) => {
    expect(codeOf(() => parseDescriptor(json))).toBe("MOTE_INVALID_MANIFEST");
  });
});

describe("image layouts", () => {
  it("of version 1.x are valid", () => {
    expect(codeOf(() => checkImageLayout(bytes({ imageLayoutVersion: "1.0.0" }), "here"))).toBe(undefined);
  });

  it.each(["2.0.0", "10.0.0", ""])("of version %j are rejected", (imageLayoutVersion) => {
    expect(codeOf(() => checkImageLayout(bytes({ imageLayoutVersion }), "here"))).toBe("MOTE_UNSUPPORTED_FORMAT");
  });

  it("without a version are rejected", () => {
    expect(codeOf(() => checkImageLayout(bytes({}), "here"))).toBe("MOTE_INVALID_MANIFEST");
  });

  it("may have an index that is larger than a manifest", () => {
    const annotations = { filler: "x".repeat(maxManifestBytes) };
    expect(parseLayoutIndex(bytes({ ...index, annotations }))).toEqual(index.manifests);
  });
});
