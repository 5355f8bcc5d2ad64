import { writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { type Compression, uncompressed } from "../../../../packages/layout/src/compression/uncompress.js";
import { mutated } from "../mutations.js";
import { target } from "../target.js";
import { inFolder } from "../temporary.js";

/** Limit on the bytes read from a decompression bomb. */
const readBytes = 64 * 1024 * 1024;

const content = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 4 }), fc.constantFrom(100, 300_000))
    .map(([bytes, times]) => Buffer.concat(Array.from({ length: Math.min(times, 5000) }, () => bytes))),
);

const gzipMember = fc
  .tuple(content, fc.constantFrom(1, 6, 9))
  .map(([bytes, level]): Uint8Array => gzipSync(bytes, { level }));

/** Compresses with the library of zstd. */
const samples = [
  "KLUv/WChADUBAOBoZWxsbyB3b3JsZDMuMTQxNTkyNjUzNTg5NzkzAgCMMumRqKUI",
  "KLUv/WTMARUJAKLNKiBQaeugFp0LthfDKHDpxTFUQbwzY1XNI93uxkbAzO9CDehBjypirpqCxzh7HZutaseEX55yjLA7LipPOaW/SQSAxljcD13APgixUbnkvDf2E65qguDjwDAGA0bAMHA4Eu3gwZXi9F/thFosFf3Te39CuLCaLILwkr4EP+Nrq8oYbTarqooauqwvXL1TLd/bTPZBdxI7uBKMLWEj5zMvHv8Vq8sq14rlx6qiRi8gEBQEoT25ZCgt3LYhn+xqUYGzgXl5whnE1mE4Aq9kEFkk0GwgwWdogWzgEJEmWbW5DWACmuIZssIzATTChCQDzDr+0nLbTrjUc8Bh18GOHAXtssXEtgpBFybqXzH/eGnwWsTMJw6cuLB6CmTgWjAeg3kCZ3DPog==",
].map((text) => Uint8Array.from(Buffer.from(text, "base64")));

const block = fc.record({
  kind: fc.constantFrom(0, 1, 3),
  body: fc.uint8Array({ maxLength: 40 }),
  size: fc.constantFrom(0, 1, 131_072, 2_097_151),
});

/** Returns a frame of raw and repeated bytes (RFC 8878, section 3.1.1) with any window and content size. */
const zstdFrame = fc
  .record({
    isSingle: fc.boolean(),
    window: fc.oneof(fc.constantFrom(0, 0x58, 0xf8, 0xff), fc.integer({ min: 0, max: 255 })),
    sizeFlag: fc.integer({ min: 0, max: 3 }),
    size: fc.oneof(fc.nat({ max: 1000 }), fc.constantFrom(2 ** 27, 2 ** 31, 2 ** 40)),
    blocks: fc.array(block, { maxLength: 3 }),
  })
  .map(({ isSingle, window, sizeFlag, size, blocks }): Uint8Array => {
    const bytes = [0x28, 0xb5, 0x2f, 0xfd, (sizeFlag << 6) | (isSingle ? 0x20 : 0)];
    if (!isSingle) bytes.push(window);
    const sizeBytes = sizeFlag === 0 ? (isSingle ? 1 : 0) : 2 ** sizeFlag;
    for (let at = 0; at < sizeBytes; at++) bytes.push(Math.floor(size / 256 ** at) % 256);
    blocks.forEach(({ kind, body, size: repeated }, number) => {
      const isLast = number === blocks.length - 1 ? 1 : 0;
      const length = kind === 1 ? repeated : body.length;
      const head = (length << 3) | (kind << 1) | isLast;
      bytes.push(head & 0xff, (head >> 8) & 0xff, (head >> 16) & 0xff, ...(kind === 1 ? [7] : body));
    });
    return Uint8Array.from(bytes);
  });

const skippable = fc
  .tuple(fc.integer({ min: 0x50, max: 0x5f }), fc.uint8Array({ maxLength: 10 }))
  .map(([magic, body]) => Uint8Array.from([magic, 0x2a, 0x4d, 0x18, body.length, 0, 0, 0, ...body]));

const several = (member: fc.Arbitrary<Uint8Array>) =>
  mutated(fc.array(member, { minLength: 1, maxLength: 3 }).map((members) => new Uint8Array(Buffer.concat(members))));

export const gzip = target("gzip with one or several members", several(gzipMember), (bytes) => readAll(bytes, "gzip"));

export const zstd = target(
  "zstd with one or several frames",
  several(
    fc.oneof(
      { weight: 4, arbitrary: zstdFrame },
      { weight: 2, arbitrary: fc.constantFrom(...samples) },
      { weight: 1, arbitrary: skippable },
    ),
  ),
  (bytes) => readAll(bytes, "zstd"),
);

function readAll(bytes: Uint8Array, compression: Compression): Promise<void> {
  return inFolder(async (folder) => {
    const path = join(folder, "compressed");
    writeFileSync(path, bytes);
    const handle = await open(path);
    try {
      let read = 0;
      for await (const chunk of uncompressed({ handle, offset: 0, size: bytes.length }, "here", { compression })) {
        read += chunk.byteLength;
        if (read > readBytes) break;
      }
    } finally {
      await handle.close();
    }
  });
}
