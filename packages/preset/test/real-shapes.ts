import { type Descriptor, digestBytes, type MoteKind, mediaTypes } from "@mote/core";

/** Bytes by digest. */
type Blobs = Map<string, Uint8Array>;

/** Content as found in registries: its name, how it is created, and its kind in `ls`. */
export interface Shape {
  readonly name: string;
  readonly kind: MoteKind;
  readonly build: (make: Maker) => Descriptor;
  /** The warnings when it is copied. */
  readonly warnings?: readonly RegExp[];
}

const encode = (body: unknown) =>
  body instanceof Uint8Array ? body : new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
const attestationType = "vnd.docker.reference.type";

/** Creates and stores content. */
export class Maker {
  readonly blobs: Blobs = new Map();

  add(body: unknown, mediaType: string, more: object = {}): Descriptor {
    const bytes = encode(body);
    const digest = digestBytes(bytes);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.byteLength, ...more };
  }

  config(more: object = {}): Descriptor {
    return this.add(
      { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [] }, ...more },
      mediaTypes.ociConfig,
    );
  }

  manifest(fields: object, mediaType: string = mediaTypes.ociManifest, more: object = {}): Descriptor {
    return this.add({ schemaVersion: 2, mediaType, ...fields }, mediaType, more);
  }

  artifact(layers: readonly Descriptor[], fields: object = {}): Descriptor {
    return this.manifest({ config: this.add("{}", mediaTypes.ociEmpty), layers, ...fields });
  }

  platform(architecture: string, more: object = {}): Descriptor {
    const layers = [this.add(`layer for ${architecture}`, mediaTypes.ociLayerGzip)];
    const platform = { os: "linux", architecture, ...more };
    return this.manifest({ config: this.config({ architecture }), layers }, mediaTypes.ociManifest, { platform });
  }

  index(manifests: readonly object[], mediaType: string = mediaTypes.ociIndex): Descriptor {
    return this.add({ schemaVersion: 2, mediaType, manifests }, mediaType);
  }
}

export const shapes: readonly Shape[] = [
  {
    name: "an image with layers of null",
    kind: "image",
    build: (make) => make.manifest({ config: make.config(), layers: null }),
  },
  { name: "an image without layers", kind: "image", build: (make) => make.manifest({ config: make.config() }) },
  {
    name: "an image without schemaVersion and mediaType",
    kind: "image",
    build: (make) => {
      const layers = [make.add("one", mediaTypes.ociLayer)];
      return make.add({ config: make.config(), layers, annotations: null }, mediaTypes.ociManifest);
    },
  },
  {
    name: "an image with a layer twice, and one of no bytes",
    kind: "image",
    build: (make) => {
      const [layer, empty] = [make.add("twice", mediaTypes.ociLayer), make.add("", mediaTypes.ociLayer)];
      return make.manifest({ config: make.config(), layers: [layer, empty, layer] });
    },
  },
  {
    name: "an image whose configuration is not JSON",
    kind: "image",
    build: (make) =>
      make.manifest({ config: make.add("not JSON", mediaTypes.dockerConfig), layers: [] }, mediaTypes.dockerManifest),
  },
  {
    name: "an artifact manifest of image-spec 1.1-rc",
    kind: "artifact",
    build: (make) =>
      make.add(
        {
          mediaType: mediaTypes.ociArtifact,
          artifactType: "application/vnd.acme.sbom",
          blobs: [make.add({ sbom: true }, "application/spdx+json")],
        },
        mediaTypes.ociArtifact,
      ),
  },
  {
    name: "an artifact of image-spec 1.1 without content",
    kind: "artifact",
    build: (make) =>
      make.artifact([make.add("{}", mediaTypes.ociEmpty)], { artifactType: "application/vnd.acme.marker" }),
  },
  {
    name: "an artifact with titles and a configuration that are odd",
    kind: "artifact",
    build: (make) => {
      const layer = make.add("data", "application/vnd.acme.data", {
        annotations: { "org.opencontainers.image.title": null },
      });
      return make.manifest({ config: null, artifactType: null, layers: [layer], subject: null });
    },
  },
  {
    name: "a Helm chart with its provenance",
    kind: "artifact",
    build: (make) =>
      make.manifest({
        config: make.add({ name: "redis", version: "1.0.0" }, "application/vnd.cncf.helm.config.v1+json"),
        layers: [
          make.add("chart", "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
          make.add("signed", "application/vnd.cncf.helm.chart.provenance.v1.prov"),
        ],
      }),
  },
  {
    name: "a module of wasm",
    kind: "artifact",
    build: (make) =>
      make.manifest({
        config: make.add({ architecture: "wasm", os: "wasip2" }, "application/vnd.wasm.config.v0+json"),
        layers: [make.add("\0asm", "application/wasm")],
      }),
  },
  {
    name: "a model of Ollama",
    kind: "image",
    build: (make) =>
      make.manifest(
        {
          config: make.add({ model_format: "gguf", architecture: "amd64", os: "linux" }, mediaTypes.dockerConfig),
          layers: ["model", "template", "license", "params"].map((part) =>
            make.add(part, `application/vnd.ollama.image.${part}`),
          ),
        },
        mediaTypes.dockerManifest,
      ),
  },
  {
    name: "a model by the specification of CNCF",
    kind: "artifact",
    build: (make) =>
      make.manifest({
        artifactType: "application/vnd.cncf.model.manifest.v1+json",
        config: make.add({ descriptor: { name: "m" } }, "application/vnd.cncf.model.config.v1+json"),
        layers: [make.add("weights", "application/vnd.cncf.model.weight.v1.tar")],
      }),
  },
  {
    name: "a signature of cosign",
    kind: "image",
    build: (make) => {
      const annotations = { "dev.cosignproject.cosign/signature": "MEUCIQ==" };
      const payload = make.add({ critical: {} }, "application/vnd.dev.cosign.simplesigning.v1+json", { annotations });
      return make.manifest({ config: make.config({ architecture: "", os: "" }), layers: [payload] });
    },
  },
  {
    name: "a bundle of sigstore, whose subject is elsewhere",
    kind: "artifact",
    build: (make) =>
      make.artifact([make.add({ bundle: 1 }, "application/vnd.dev.sigstore.bundle.v0.3+json")], {
        artifactType: "application/vnd.dev.sigstore.bundle.v0.3+json",
        subject: { mediaType: mediaTypes.ociManifest, digest: digestBytes(encode("elsewhere")), size: 9 },
      }),
  },
  {
    name: "an index of buildx with attestations",
    kind: "index",
    build: (make) => {
      const image = make.platform("amd64");
      const statement = make.add({ _type: "https://in-toto.io/Statement/v0.1" }, "application/vnd.in-toto+json");
      const config = make.config({ architecture: "unknown", os: "unknown" });
      const attestation = make.manifest({ config, layers: [statement] }, mediaTypes.ociManifest, {
        platform: { os: "unknown", architecture: "unknown" },
        annotations: { [attestationType]: "attestation-manifest", "vnd.docker.reference.digest": image.digest },
      });
      return make.index([image, attestation]);
    },
  },
  {
    name: "a build cache, whose index lists layers",
    kind: "index",
    build: (make) =>
      make.index([
        make.add("cached", mediaTypes.ociLayerGzip),
        make.add({ layers: [] }, "application/vnd.buildkit.cacheconfig.v0"),
      ]),
  },
  {
    name: "an index in an index",
    kind: "index",
    build: (make) => make.index([make.index([make.platform("amd64")]), make.platform("arm64")]),
  },
  {
    name: "a list of Docker's with platforms of nulls",
    kind: "index",
    build: (make) =>
      make.index(
        [
          make.platform("amd64", { "os.features": null, variant: null }),
          make.platform("arm", { variant: 7 }),
          { ...make.platform("s390x"), platform: {} },
          { ...make.platform("ppc64le"), platform: null },
        ],
        mediaTypes.dockerManifestList,
      ),
  },
  {
    name: "an index of nothing",
    kind: "index",
    build: (make) =>
      make.add({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: null }, mediaTypes.ociIndex),
  },
  {
    name: "an index whose entries have no media type, or another one",
    kind: "index",
    build: (make) => {
      const { mediaType: _, ...untyped } = make.platform("amd64");
      return make.index([untyped, { ...make.platform("arm64"), mediaType: "text/plain" }]);
    },
  },
  {
    name: "an index that lists a manifest of an unknown type",
    kind: "index",
    build: (make) =>
      make.index([make.platform("amd64"), make.add({ things: [] }, "application/vnd.acme.manifest.v9+json")]),
    warnings: [/unknown media type application\/vnd\.acme\.manifest\.v9\+json/],
  },
];
