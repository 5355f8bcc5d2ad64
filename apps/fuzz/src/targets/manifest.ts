import { childDescriptors, isDigest, mediaTypes, parseLayoutIndex, parseManifest, sniffManifestType } from "@mote/core";
import fc from "fast-check";
import { mutated, oddNumbers } from "../mutations.js";
import { assert, target } from "../target.js";

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });
const digest = fc.oneof(
  hex(64).map((text) => `sha256:${text}`),
  hex(128).map((text) => `sha512:${text}`),
);
const mediaType = fc.constantFrom(...Object.values(mediaTypes), "application/octet-stream", "");
const annotations = fc.dictionary(fc.string({ maxLength: 8 }), fc.string({ maxLength: 20, unit: "binary" }), {
  maxKeys: 3,
});
const size = fc.oneof(fc.nat(), fc.constantFrom(0, Number.MAX_SAFE_INTEGER));
const platform = fc.record(
  {
    os: fc.constantFrom("linux", "windows", ""),
    architecture: fc.constantFrom("amd64", "arm"),
    variant: fc.constantFrom("v7", "v8"),
    "os.version": fc.string({ maxLength: 8 }),
    "os.features": fc.array(fc.string({ maxLength: 4 }), { maxLength: 2 }),
  },
  { requiredKeys: [] },
);
const descriptor = fc.record(
  {
    mediaType,
    digest,
    size,
    annotations,
    platform,
    urls: fc.array(fc.webUrl(), { maxLength: 2 }),
    data: fc.base64String({ maxLength: 20 }),
    artifactType: mediaType,
  },
  { requiredKeys: ["mediaType", "digest", "size"] },
);
const common = {
  schemaVersion: fc.constantFrom(2, 1),
  mediaType,
  artifactType: mediaType,
  annotations,
  subject: descriptor,
};
const image = fc.record(
  { ...common, config: descriptor, layers: fc.array(descriptor, { maxLength: 4 }) },
  { requiredKeys: ["schemaVersion", "config", "layers"] },
);
const imageIndex = fc.record(
  { ...common, manifests: fc.array(descriptor, { maxLength: 4 }) },
  { requiredKeys: ["schemaVersion", "manifests"] },
);

/** Replaces one value of a document by one of another type. */
const spoiled = (document: fc.Arbitrary<object>) =>
  fc
    .tuple(
      document,
      fc.nat(),
      fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(...oddNumbers.map(Number))),
      fc.boolean(),
    )
    .map(([valid, at, value, change]) => (change ? withOther(valid, at, value) : JSON.stringify(valid)));

/** Returns a document as JSON, with one of its values replaced. */
export function withOther(document: object, at: number, value: unknown): string {
  let seen = 0;
  const total = places(document);
  return JSON.stringify(document, (_, old) => (seen++ === at % total ? value : old)) ?? "null";
}

function places(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  return 1 + Object.values(value).reduce((sum: number, child) => sum + places(child), 0);
}

const deep = fc
  .tuple(fc.constantFrom("[", '{"a":', '{"manifests":['), fc.integer({ min: 1, max: 100_000 }))
  .map(([open, depth]) => open.repeat(depth));

const body = mutated(
  fc
    .oneof({ weight: 20, arbitrary: spoiled(fc.oneof(image, imageIndex)) }, { weight: 1, arbitrary: deep })
    .map((text) => new TextEncoder().encode(text ?? "null")),
);

export const manifest = target(
  "image manifests and indexes: parseManifest, sniffManifestType",
  fc.tuple(body, fc.oneof({ weight: 9, arbitrary: mediaType }, { weight: 1, arbitrary: fc.string() })),
  ([bytes, type]) => {
    let sniffed: string | undefined;
    try {
      sniffed = sniffManifestType(bytes);
    } finally {
      const read = parseManifest(bytes, sniffed ?? type);
      for (const child of childDescriptors(read)) {
        assert(isDigest(child.digest), "the digest of a child is valid");
        assert(Number.isSafeInteger(child.size) && child.size >= 0, "the size of a child is an integer");
      }
    }
  },
);

export const index = target("a layout's index.json: parseLayoutIndex", body, (bytes) => {
  for (const { digest: found } of parseLayoutIndex(bytes)) assert(isDigest(found), "the digest of an entry is valid");
});
