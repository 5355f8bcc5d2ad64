import { type Digest, digestBytes, mediaTypes, parseManifest } from "@mote/core";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  type DeltaArtifact,
  deltaArtifactType,
  formatDelta,
  maxDeltaManifestBytes,
  parseDelta,
  sourceConfigOf,
  tarDiffMediaType,
} from "./delta-artifact.js";

const digestOf = (text: string): Digest => digestBytes(new TextEncoder().encode(text));
const digests = fc.string().map(digestOf);
const sizes = fc.nat(1_000_000);
const diffs = fc.record({ digest: digests, size: sizes, mediaType: fc.constant(tarDiffMediaType) });
const recipes = fc.record({
  layer: digests,
  encoder: fc.constantFrom("gzip:go1.26-6", "zstd:klauspost1.20.0-2", "untransformed"),
  header: fc.uint8Array({ maxLength: 40 }),
  diff: fc.option(diffs, { nil: undefined }),
});
const deltas: fc.Arbitrary<DeltaArtifact> = fc.record({
  subject: fc.record({ digest: digests, size: sizes, mediaType: fc.constant(mediaTypes.ociManifest) }),
  source: digests,
  sourceConfig: digests,
  recipes: fc.array(recipes, { maxLength: 5 }),
  reused: fc.array(fc.record({ digest: digests, diffId: digests }), { maxLength: 5 }),
});
const config = { digest: digestOf("config"), size: 6, mediaType: mediaTypes.ociConfig };

const example: DeltaArtifact = {
  subject: { digest: digestOf("new"), size: 100, mediaType: mediaTypes.ociManifest },
  source: digestOf("old"),
  sourceConfig: digestOf("old config"),
  recipes: [
    {
      layer: digestOf("layer"),
      encoder: "gzip:go1.26-6",
      header: Uint8Array.of(0x1f, 0x8b, 8),
      diff: { digest: digestOf("diff"), size: 4, mediaType: tarDiffMediaType },
    },
  ],
  reused: [],
};

/** Formats the example with a changed body. */
function changed(change: (body: ReturnType<typeof JSON.parse>) => void): Uint8Array {
  const body = JSON.parse(new TextDecoder().decode(formatDelta(example, config)));
  change(body);
  return new TextEncoder().encode(JSON.stringify(body));
}

it("what is written is read again, and the same delta has the same bytes", () => {
  fc.assert(
    fc.property(deltas, (delta) => {
      const bytes = formatDelta(delta, config);
      const read = parseDelta(bytes);
      expect(read).toMatchObject({ ...delta, recipes: delta.recipes.map(({ diff: _, ...recipe }) => recipe) });
      expect(read.recipes.map(({ diff }) => diff?.digest)).toEqual(delta.recipes.map(({ diff }) => diff?.digest));
      expect(formatDelta(read, config)).toEqual(bytes);
    }),
  );
});

it("the manifest has the type, the subject, the annotations and the contents of containers/oci-delta", () => {
  const manifest = parseManifest(formatDelta(example, config));
  const key = (name: string) => `io.github.containers.delta.${name}`;
  expect(manifest).toMatchObject({
    artifactType: deltaArtifactType,
    subject: { digest: example.subject.digest },
    config: { mediaType: "application/vnd.oci.empty.v1+json", size: 2 },
    annotations: {
      [key("target")]: example.subject.digest,
      [key("source")]: example.source,
      [key("source-config")]: example.sourceConfig,
    },
    layers: [
      { digest: example.subject.digest, annotations: { [key("content")]: "image-manifest" } },
      { digest: config.digest, annotations: { [key("content")]: "image-config" } },
      { mediaType: "application/vnd.tar-diff", annotations: { [key("content")]: "image-layer" } },
    ],
  });
  expect(sourceConfigOf({ ...config, annotations: manifest.annotations })).toBe(example.sourceConfig);
});

it("layers without an encoder, of unknown content, or of another type are left out", () => {
  const read = parseDelta(
    changed((body) => {
      const [, , layer] = body.layers;
      const { "mote.delta.encoder": _, ...withoutEncoder } = layer.annotations;
      const other = { ...layer.annotations, "io.github.containers.delta.content": "cosign-signature" };
      body.layers.push({ ...layer, annotations: withoutEncoder }, { ...layer, annotations: other });
      body.layers.push({ ...layer, mediaType: mediaTypes.ociLayerGzip });
    }),
  );
  expect(read.recipes).toHaveLength(1);
});

it.each<[string, (body: ReturnType<typeof JSON.parse>) => void]>([
  ["another artifact type", (body) => (body.artifactType = "application/vnd.acme.sbom")],
  ["no subject", (body) => (body.subject = undefined)],
  ["no source", (body) => (body.annotations["io.github.containers.delta.source"] = "sha256:12")],
  ["no config of the source", (body) => (body.annotations["io.github.containers.delta.source-config"] = undefined)],
  ["a layer that is not a digest", (body) => (body.layers[2].annotations["io.github.containers.delta.to"] = "x")],
  ["a very long header", (body) => (body.layers[2].annotations["mote.delta.gzip-header"] = "A".repeat(10_000))],
  ["a list that is not JSON", (body) => (body.annotations["io.github.containers.delta.reused"] = "[")],
  [
    "lists of different length",
    (body) => (body.annotations["io.github.containers.delta.reused"] = `["${config.digest}"]`),
  ],
])("a manifest with %s is not valid", (_, change) => {
  expect(() => parseDelta(changed(change))).toThrow(expect.objectContaining({ code: "MOTE_INVALID_MANIFEST" }));
});

it("a manifest that is too large is rejected before it is parsed", () => {
  const bytes = new Uint8Array(maxDeltaManifestBytes + 1);
  expect(() => parseDelta(bytes)).toThrow(expect.objectContaining({ code: "MOTE_TOO_LARGE" }));
});

it("any other bytes are an error with a code", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => new TextEncoder().encode(text)),
      ),
      (bytes) => {
        expect(() => parseDelta(bytes)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^MOTE_/) }));
      },
    ),
  );
});
