import { describe, expect, it } from "vitest";
import type { Descriptor } from "./descriptor.js";
import { digestBytes } from "./digest.js";
import { childDescriptors, parseDescriptor, parseLayoutIndex, parseManifest, sniffManifestType } from "./manifest.js";
import { knownManifestType, mediaTypes } from "./media-type.js";

const encode = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const descriptor = (name: string, more: object = {}) => ({
  mediaType: mediaTypes.octetStream as string,
  digest: digestBytes(encode(name)),
  size: name.length,
  ...more,
});
const [config, layer] = [descriptor("config"), descriptor("layer")];
const entry = descriptor("manifest", { mediaType: mediaTypes.ociManifest });
const image = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] };
const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry] };

function childrenOf(body: unknown, mediaType: string = mediaTypes.ociManifest): readonly Descriptor[] {
  return childDescriptors(parseManifest(encode(body), mediaType));
}

describe("an image manifest is read", () => {
  it.each<[string, object]>([
    ["without schemaVersion", { schemaVersion: undefined }],
    ["with a schemaVersion that is text", { schemaVersion: "2" }],
    ["without mediaType", { mediaType: undefined }],
    ["with an empty mediaType", { mediaType: "" }],
    ["with a mediaType of null", { mediaType: null }],
    ["with a mediaType that is a number", { mediaType: 2 }],
    ["with another mediaType", { mediaType: "text/plain" }],
    ["with an artifactType of null", { artifactType: null }],
    ["with an artifactType that is a list", { artifactType: [] }],
    ["with annotations of null", { annotations: null }],
    ["with annotations that are a list", { annotations: ["a"] }],
    ["with annotations that are not text", { annotations: { a: 1, b: null, c: {}, d: "text" } }],
    ["with a subject of null", { subject: null }],
    ["with a subject that is empty", { subject: {} }],
    ["with a subject that is text", { subject: "sha256:1" }],
    ["with manifests of null", { manifests: null }],
    ["with blobs of null", { blobs: null }],
    ["with unknown fields", { history: [{}], fsLayers: null, "org.example": { a: 1 } }],
  ])("%s", (_, fields) => {
    const body = { ...image, ...fields };
    expect(childrenOf(body)).toEqual([config, layer]);
    expect(sniffManifestType(encode(body))).toBe(mediaTypes.ociManifest);
  });

  it.each<[string, object, readonly Descriptor[]]>([
    ["with layers of null", { layers: null }, [config]],
    ["without layers", { layers: undefined }, [config]],
    ["with a config of null", { config: null }, [layer]],
    ["without config", { config: undefined }, [layer]],
    ["without both", { config: undefined, layers: null }, []],
    ["with the same layer twice", { layers: [layer, layer] }, [config, layer, layer]],
    ["with a layer of 0 bytes", { layers: [descriptor("")] }, [config, descriptor("")]],
  ])("%s", (_, fields, children) => {
    expect(childrenOf({ ...image, ...fields })).toEqual(children);
  });

  it("with a byte order mark, and with white space around it", () => {
    const text = `\n\t ${JSON.stringify(image)} \r\n`;
    expect(childrenOf(text)).toEqual([config, layer]);
    expect(childrenOf(`\u{feff}${text}`)).toEqual([config, layer]);
  });

  it("with text that is not UTF-8", () => {
    const bytes = encode({ ...image, annotations: { note: "?" } });
    bytes[bytes.lastIndexOf(0x3f)] = 0xff;
    expect(parseManifest(bytes, mediaTypes.ociManifest).annotations).toEqual({ note: "\u{fffd}" });
  });

  it("keeps the annotations that are strings", () => {
    const { annotations } = parseManifest(encode({ ...image, annotations: { a: 1, b: "x" } }), mediaTypes.ociManifest);
    expect(annotations).toEqual({ b: "x" });
  });

  it("keeps a subject with an invalid size", () => {
    const subject = { digest: entry.digest, size: "1" };
    const read = parseManifest(encode({ ...image, subject }), mediaTypes.ociManifest).subject;
    expect(read).toMatchObject({ digest: entry.digest, size: 0 });
  });
});

describe("a descriptor is read", () => {
  it.each<[string, object]>([
    ["without a media type", { mediaType: undefined }],
    ["with an empty media type", { mediaType: "" }],
    ["with a media type of null", { mediaType: null }],
    ["with a media type that is a number", { mediaType: 7 }],
    ["with urls of null", { urls: null }],
    ["with urls that are text", { urls: "https://example.com" }],
    ["with annotations that are text", { annotations: "a" }],
    ["with data that is a number", { data: 1 }],
    ["with an artifactType of null", { artifactType: null }],
    ["with a platform of null", { platform: null }],
    ["with a platform that is empty", { platform: {} }],
    ["with a platform of nulls", { platform: { os: null, architecture: null } }],
  ])("%s", (_, fields) => {
    expect(parseDescriptor({ ...layer, ...fields })).toEqual(layer);
  });

  it("with only the urls and annotations that are strings", () => {
    const read = parseDescriptor({ ...layer, urls: ["https://a.example", 1], annotations: { a: "x", b: 1 } });
    expect(read).toEqual({ ...layer, urls: ["https://a.example"], annotations: { a: "x" } });
  });

  it("with a sha512 digest", () => {
    const named = { ...layer, digest: digestBytes(encode("layer"), "sha512") };
    expect(childrenOf({ ...image, layers: [named] })).toEqual([config, named]);
  });
});

describe("a platform is read", () => {
  const read = (platform: unknown) => parseDescriptor({ ...entry, platform }).platform;
  const amd64 = { os: "linux", architecture: "amd64" };

  it.each([
    { variant: null },
    { "os.version": null, "os.features": null },
    { "os.features": undefined, variant: undefined },
  ])("with nulls: %j", (more) => {
    expect(read({ ...amd64, ...more })).toEqual(amd64);
  });

  it("with a variant that is a number", () => {
    expect(read({ os: "linux", architecture: "arm", variant: 6 })).toMatchObject({ variant: "6" });
  });

  it("with only the features that are strings", () => {
    expect(read({ ...amd64, "os.features": [null, "sse4", 2] })).toEqual({ ...amd64, "os.features": ["sse4"] });
  });

  it.each<unknown>([
    "linux/amd64",
    7,
    [],
    { os: "linux" },
    { os: 1, architecture: {} },
    { ...amd64, variant: { v: 3 } },
    { ...amd64, "os.version": 10 },
    { ...amd64, "os.features": "win32k" },
  ])("as undefined if a field is missing or invalid: %j", (platform) => {
    expect(read(platform)).toBeUndefined();
  });
});

describe("the kind of a manifest depends on its body", () => {
  it.each([mediaTypes.ociIndex, mediaTypes.dockerManifestList, mediaTypes.ociLayer, "application/json", "", "x"])(
    "whatever it was given as: %j",
    (mediaType) => {
      expect(parseManifest(encode(image), mediaType)).toMatchObject({
        kind: "manifest",
        mediaType: mediaTypes.ociManifest,
      });
    },
  );

  it("and its own media type takes precedence", () => {
    const docker = { ...image, mediaType: mediaTypes.dockerManifest };
    expect(parseManifest(encode(docker), mediaTypes.ociManifest).mediaType).toBe(mediaTypes.dockerManifest);
  });

  it("and on the given media type if the body has none and its fields agree", () => {
    const [bare, bareIndex] = [
      { ...image, mediaType: undefined },
      { ...index, mediaType: "" },
    ];
    const typeOf = (body: object, type: string) => parseManifest(encode(body), type).mediaType;
    expect(typeOf(bare, mediaTypes.dockerManifest)).toBe(mediaTypes.dockerManifest);
    expect(typeOf(bare, mediaTypes.ociIndex)).toBe(mediaTypes.ociManifest);
    expect(typeOf(bareIndex, mediaTypes.dockerManifestList)).toBe(mediaTypes.dockerManifestList);
    expect(typeOf(bareIndex, mediaTypes.dockerManifest)).toBe(mediaTypes.ociIndex);
  });

  it("even if the media type has parameters or upper-case letters", () => {
    expect(knownManifestType(" Application/vnd.OCI.image.manifest.v1+json; charset=utf-8")).toBe(
      mediaTypes.ociManifest,
    );
    expect(knownManifestType("application/vnd.oci.image.layer.v1.tar")).toBeUndefined();
    const body = { ...image, mediaType: "application/vnd.docker.distribution.manifest.v2+JSON;charset=utf-8" };
    expect(sniffManifestType(encode(body))).toBe(mediaTypes.dockerManifest);
  });
});

describe("an artifact manifest", () => {
  const mediaType = mediaTypes.ociArtifact;
  const body = { mediaType, artifactType: "application/vnd.acme.sbom", blobs: [layer], subject: entry };

  it("has blobs instead of layers, and no config", () => {
    expect(parseManifest(encode(body), mediaType)).toEqual({
      kind: "manifest",
      mediaType,
      artifactType: "application/vnd.acme.sbom",
      subject: entry,
      layers: [layer],
    });
  });

  it("is recognized by its media type or its blobs", () => {
    expect(sniffManifestType(encode(body))).toBe(mediaType);
    expect(sniffManifestType(encode({ ...body, mediaType: undefined }))).toBe(mediaType);
    expect(childrenOf({ ...body, blobs: null }, mediaType)).toEqual([]);
  });
});

describe("an index is read", () => {
  it.each<[string, object, readonly Descriptor[]]>([
    ["with manifests of null", { manifests: null }, []],
    ["without manifests", { manifests: undefined }, []],
    ["with layers and config of null", { layers: null, config: null }, [entry]],
    ["without schemaVersion", { schemaVersion: undefined }, [entry]],
    ["with a layer among its manifests", { manifests: [entry, layer] }, [entry, layer]],
  ])("%s", (_, fields, children) => {
    expect(childrenOf({ ...index, ...fields }, mediaTypes.ociIndex)).toEqual(children);
  });

  it("from a layout, with annotations of null", () => {
    const manifests = [
      { ...entry, annotations: null },
      { digest: layer.digest, size: layer.size },
    ];
    expect(parseLayoutIndex(encode({ manifests, annotations: null }))).toEqual([entry, layer]);
    expect(parseLayoutIndex(encode({ manifests: null }))).toEqual([]);
  });
});
