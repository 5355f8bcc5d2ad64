import { randomBytes } from "node:crypto";
import zlib from "node:zlib";
import { describe, expect, it } from "vitest";
import { ZstdDecoder } from "./zstd-decoder.js";

// 716 bytes of JSON, compressed by the zstd library, with tables for literals and sequences.
const sample = Buffer.from(
  "KLUv/WTMARUJAKLNKiBQaeugFp0LthfDKHDpxTFUQbwzY1XNI93uxkbAzO9CDehBjypirpqCxzh7HZutaseEX55yjLA7LipPOaW/SQSAxljcD13APgixUbnkvDf2E65qguDjwDAGA0bAMHA4Eu3gwZXi9F/thFosFf3Te39CuLCaLILwkr4EP+Nrq8oYbTarqooauqwvXL1TLd/bTPZBdxI7uBKMLWEj5zMvHv8Vq8sq14rlx6qiRi8gEBQEoT25ZCgt3LYhn+xqUYGzgXl5whnE1mE4Aq9kEFkk0GwgwWdogWzgEJEmWbW5DWACmuIZssIzATTChCQDzDr+0nLbTrjUc8Bh18GOHAXtssXEtgpBFybqXzH/eGnwWsTMJw6cuLB6CmTgWjAeg3kCZ3DPog==",
  "base64",
);
/** Returns an RLE block of `bytes` bytes. */
const repeated = (bytes: number, isLast = true) => {
  const head = (bytes << 3) | 2 | Number(isLast);
  return [head & 255, (head >> 8) & 255, head >> 16, 65];
};
const frameOf = (window: number, blocks: readonly number[]) =>
  Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, window, ...blocks]);
const blockBytes = 128 * 1024;

function decodedBy(decoder: ZstdDecoder, bytes: Uint8Array, chunkBytes = 1_000_000): Buffer {
  const decoded: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
    decoded.push(...decoder.decode(bytes.subarray(at, at + chunkBytes)));
  }
  return Buffer.concat(decoded);
}

describe("ZstdDecoder", () => {
  it("decodes consecutive frames in chunks of any size", async () => {
    const decoder = await ZstdDecoder.load();
    const whole = decodedBy(decoder, sample);
    expect(Object.keys(JSON.parse(whole.toString()))).toContain("$schema");
    for (const chunkBytes of [1, 2, 7, 100, 1000]) {
      const twice = decodedBy(decoder, Buffer.concat([sample, sample]), chunkBytes);
      expect(twice.equals(Buffer.concat([whole, whole]))).toBe(true);
      expect(decoder.isBetweenFrames).toBe(true);
      const block = decodedBy(decoder, frameOf(0x50, repeated(blockBytes)), chunkBytes);
      expect(block.equals(Buffer.alloc(blockBytes, 65))).toBe(true);
      expect(decoder.isBetweenFrames).toBe(true);
    }
  });

  it("detects a truncated frame", async () => {
    for (const length of [1, 4, 5, 6, 8, 9, 50, 200, sample.byteLength - 1]) {
      const decoder = await ZstdDecoder.load();
      decodedBy(decoder, sample.subarray(0, length));
      expect([length, decoder.isBetweenFrames]).toEqual([length, false]);
    }
  });

  it("terminates for any damaged input", async () => {
    const outcomes = { decoded: 0, refused: 0 };
    for (let at = 4; at < sample.byteLength; at++) {
      for (const value of [128, 255]) {
        const damaged = Buffer.from(sample);
        damaged[at] = value;
        const decoder = await ZstdDecoder.load();
        try {
          expect(decodedBy(decoder, damaged).byteLength).toBeLessThanOrEqual(blockBytes);
          outcomes.decoded++;
        } catch (error) {
          expect(String(error)).toMatch(/^Error: zstd's error \d+$/);
          outcomes.refused++;
        }
      }
    }
    expect(outcomes.decoded + outcomes.refused).toBe(2 * (sample.byteLength - 4));
    expect(outcomes.refused).toBeGreaterThan(400);
  });

  it("keeps failing after an error", async () => {
    const decoder = await ZstdDecoder.load();
    expect(() => decodedBy(decoder, frameOf(0x50, [0x07, 0, 0]))).toThrow("zstd's error");
    for (const bytes of [sample, sample.subarray(0, 1)]) expect(() => decodedBy(decoder, bytes)).toThrow("damaged");
  });

  it("accepts windows of up to 128 MiB", async () => {
    const large = decodedBy(await ZstdDecoder.load(), frameOf(0x88, repeated(blockBytes)));
    expect(large.equals(Buffer.alloc(blockBytes, 65))).toBe(true);
    const decoder = await ZstdDecoder.load();
    expect(() => decodedBy(decoder, frameOf(0x89, repeated(1)))).toThrow("zstd's error 16");
  });

  it("shares no state with other decoders, unfinished or failed", async () => {
    const [one, two] = [await ZstdDecoder.load(), await ZstdDecoder.load()];
    const [first, second] = [sample.subarray(0, 150), sample.subarray(150)];
    const begun = [decodedBy(one, first), decodedBy(two, first)];
    expect(() => decodedBy(one, Buffer.alloc(400, 0xff))).toThrow("zstd's error");
    const whole = Buffer.concat([begun[1] ?? first, decodedBy(two, second)]);
    expect(whole).toEqual(decodedBy(await ZstdDecoder.load(), sample));
  });

  it("leaves no state to the next decoder when it is closed at any point", async () => {
    const whole = decodedBy(await ZstdDecoder.load(), sample);
    for (const given of [0, 1, 7, 150, 303, 304]) {
      const decoder = await ZstdDecoder.load();
      decodedBy(decoder, sample.subarray(0, given));
      decoder.close();
      decoder.close();
      expect(() => decodedBy(decoder, sample)).toThrow("closed");
      const [one, two] = [await ZstdDecoder.load(), await ZstdDecoder.load()];
      const begun = [one, two].map((next) => decodedBy(next, sample.subarray(0, 200)));
      const ended = [one, two].map((next) => decodedBy(next, sample.subarray(200)));
      for (const which of [0, 1]) {
        expect(Buffer.concat([begun[which] ?? whole, ended[which] ?? whole]).equals(whole)).toBe(true);
      }
    }
  });

  it.skipIf(!("zstdCompressSync" in zlib))("decodes what Node encodes", async () => {
    if (!("zstdCompressSync" in zlib) || typeof zlib.zstdCompressSync !== "function") return;
    for (const size of [0, 1, 1000, blockBytes - 1, blockBytes, blockBytes + 1, 2 * blockBytes, 3_000_000]) {
      const text = Buffer.from(Array.from({ length: size }, (_, at) => ((at * at) >> 7) % 97));
      for (const content of [Buffer.alloc(size), text, randomBytes(size)]) {
        for (const level of [1, 3, 19]) {
          // ZSTD_c_compressionLevel and ZSTD_c_checksumFlag.
          const encoded = zlib.zstdCompressSync(content, { params: { 100: level, 201: 1 } });
          const decoder = await ZstdDecoder.load();
          expect(decodedBy(decoder, encoded, 100_003).equals(content)).toBe(true);
          expect(decoder.isBetweenFrames).toBe(true);
        }
      }
    }
  });
});
