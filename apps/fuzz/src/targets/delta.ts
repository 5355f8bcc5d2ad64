import { isDigest, mediaTypes, parseDigest } from "@mote/core";
import fc from "fast-check";
import {
  formatDelta,
  maxDeltaManifestBytes,
  parseDelta,
  tarDiffMediaType,
} from "../../../../packages/delta/src/delta-artifact.js";
import { applyTarDiff } from "../../../../packages/delta/src/tar-diff/apply-tar-diff.js";
import { TarParts } from "../../../../packages/delta/src/tar-diff/tar-parts.js";
import { uncompressedBlob } from "../../../../packages/layout/src/compression/uncompress.js";
import { mutated } from "../mutations.js";
import { tarBytes } from "../tar-bytes.js";
import { assert, target } from "../target.js";
import { withOther } from "./manifest.js";

const maxBytes = 100_000;
const paths = ["a", "usr/lib/b", "../a", "/a", "./a", "a\0", "", "é", "x".repeat(5000)];
const content = Buffer.from("the content of a file of the old image".repeat(300));

const size = fc.oneof(fc.nat({ max: 40 }), fc.constantFrom(0, content.length, 2 ** 31, 2 ** 53, 2 ** 60));

const operation = fc
  .record({ kind: fc.nat({ max: 5 }), size, path: fc.constantFrom(...paths), data: fc.uint8Array({ maxLength: 40 }) })
  .map(({ kind, size: plain, path, data }) => {
    const bytes = kind === 1 ? Buffer.from(path) : kind === 0 || kind === 3 ? data : Buffer.alloc(0);
    return Buffer.concat([varint(BigInt(kind)), varint(BigInt(kind === 2 || kind > 3 ? plain : bytes.length)), bytes]);
  });

const opened = Buffer.from([1, 1, 0x61]);
const stream = fc
  .tuple(fc.boolean(), fc.array(operation, { maxLength: 12 }), fc.constantFrom(1, 1, 1, 300))
  .map(
    ([opens, all, times]): Uint8Array =>
      Buffer.concat([opens ? opened : Buffer.alloc(0), ...Array.from({ length: times }, () => Buffer.concat(all))]),
  );

/** Mutates the operations, then the file. */
const diff = mutated(mutated(stream).map((bytes) => Buffer.concat([Buffer.from("tardf1\n\0"), zstdOf(bytes)])));

export const tarDiff = target("tar-diffs, applied to files", diff, async (bytes) => {
  const read = (position: number, length: number) => {
    assert(position >= 0 && position <= content.length && length >= 0, "reads stay in the file");
    return Promise.resolve(Buffer.from(content.subarray(position, position + length)));
  };
  const old = { get: (path: string) => (path === "a" ? { path, size: content.length, read } : undefined) };
  let total = 0;
  const uncompress = (zstd: AsyncIterable<Uint8Array>) => uncompressedBlob(zstd, "here");
  for await (const chunk of applyTarDiff(chunksOf(bytes), old, { maxBytes, uncompress })) total += chunk.byteLength;
  assert(total <= maxBytes, "the content is bounded");
});

export const tarParts = target(
  "layers: the parts of a tar",
  fc.tuple(mutated(tarBytes), fc.integer({ min: 1, max: 2000 })),
  ([bytes, chunkBytes]) => {
    const parts = new TarParts();
    const read: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      for (const part of parts.split(bytes.subarray(at, at + chunkBytes))) {
        if (part.kind === "entry") {
          const names = part.entry.path?.split("/") ?? [];
          assert(!names.includes("..") && (names.length < 2 || !names.includes("")), "a path leads nowhere else");
        } else read.push(part.bytes);
      }
    }
    assert(Buffer.concat(read).equals(bytes), "the parts are the tar");
  },
);

const digest = fc
  .string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 64, maxLength: 64 })
  .map((hex) => parseDigest(`sha256:${hex}`));
const descriptorOf = (mediaType: string) => fc.record({ mediaType: fc.constant(mediaType), digest, size: fc.nat() });
const recipe = fc.record({
  layer: digest,
  encoder: fc.string({ maxLength: 120 }),
  header: fc.uint8Array({ maxLength: 20 }),
  diff: fc.option(descriptorOf(tarDiffMediaType), { nil: undefined }),
});
const artifact = fc.record({
  subject: descriptorOf(mediaTypes.ociManifest),
  source: digest,
  sourceConfig: digest,
  recipes: fc.array(recipe, { maxLength: 4 }),
  reused: fc.array(fc.record({ digest, diffId: digest }), { maxLength: 3 }),
});

/** A delta of which values are replaced, also those of its annotations, before its bytes are changed. */
const deltaManifest = mutated(
  fc
    .tuple(artifact, descriptorOf(mediaTypes.ociConfig), fc.option(fc.tuple(fc.nat(), fc.jsonValue({ maxDepth: 2 }))))
    .map(([delta, config, change]) => {
      const valid = JSON.parse(new TextDecoder().decode(formatDelta(delta, config)));
      return new TextEncoder().encode(change === null ? JSON.stringify(valid) : withOther(valid, ...change));
    }),
);

export const delta = target(
  "the manifests of deltas: parseDelta, and formatDelta of what it reads",
  deltaManifest,
  (bytes) => {
    const read = parseDelta(bytes);
    const digests = [read.subject.digest, read.source, read.sourceConfig, ...read.recipes.map(({ layer }) => layer)];
    assert(
      [...digests, ...read.reused.flatMap((each) => [each.digest, each.diffId])].every(isDigest),
      "all digests are valid",
    );
    assert(
      read.recipes.every(({ header }) => header.byteLength <= maxDeltaManifestBytes / 100),
      "headers of streams are short",
    );
    const again = parseDelta(formatDelta(read, read.subject));
    assert(
      JSON.stringify(again.recipes.map(withoutDiff)) === JSON.stringify(read.recipes.map(withoutDiff)),
      "the recipes are the same again",
    );
  },
);

function withoutDiff({ layer, encoder, header }: ReturnType<typeof parseDelta>["recipes"][number]): object {
  return { layer, encoder, header: Buffer.from(header).toString("hex") };
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(left)]);
}

/** A frame of uncompressed blocks (RFC 8878, section 3.1.1). */
function zstdOf(bytes: Uint8Array): Buffer {
  const blocks: Uint8Array[] = [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x58)];
  for (let at = 0; at === 0 || at < bytes.length; at += 100_000) {
    const body = bytes.subarray(at, at + 100_000);
    const head = (body.length << 3) | (at + 100_000 >= bytes.length ? 1 : 0);
    blocks.push(Uint8Array.of(head & 0xff, (head >> 8) & 0xff, (head >> 16) & 0xff), body);
  }
  return Buffer.concat(blocks);
}
