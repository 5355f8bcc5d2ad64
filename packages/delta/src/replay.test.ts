import { constants, createGzip, gzipSync } from "node:zlib";
import { type Digest, digestBytes, MemoryCache, type Mote, mediaTypes } from "@mote/core";
import fc from "fast-check";
import { afterAll, expect, it, vi } from "vitest";
import { sampleContent } from "../test/sample-content.js";
import type { Encoder } from "./encoder.js";
import { builtInEncoders } from "./encoders.js";
import { replay, replayWith } from "./replay.js";

const encoders = builtInEncoders();
afterAll(() => encoders[Symbol.asyncDispose]());

function encoderNamed(wanted: string): Encoder {
  const encoder = encoders.list.find(({ name }) => name === wanted);
  if (encoder === undefined) throw new Error(`no encoder is named ${wanted}`);
  return encoder;
}

async function* inChunks(bytes: Uint8Array, chunkBytes = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(new Uint8Array(chunk));
  return Buffer.concat(all);
}

function moteOf(bytes: Uint8Array): Mote & { readonly size: number } {
  return { digest: digestBytes(bytes), mediaType: mediaTypes.ociLayerGzip, size: bytes.byteLength };
}

interface Wanted {
  readonly bytes: Uint8Array;
  readonly content: Uint8Array;
  readonly startBytes?: number;
  readonly list?: readonly Encoder[];
}

async function replayed({ bytes, content, startBytes = 4096, list = encoders.list }: Wanted) {
  const cache = new MemoryCache();
  const wanted = moteOf(bytes);
  const result = await replay({
    wanted,
    start: bytes.subarray(0, startBytes),
    content: () => inChunks(content),
    encoders: list,
    cache,
  });
  expect(await cache.moteExists(wanted.digest)).toBe(result !== undefined);
  return result;
}

it("content, however edited, is compressed into the same bytes by the encoder that made them", async () => {
  const edit = fc.record({ at: fc.nat(100_000), bytes: fc.uint8Array({ maxLength: 2000 }) });
  const made = fc.constantFrom(...encoders.list);
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.nat(100_000), fc.array(edit, { maxLength: 4 }), made, async (...values) => {
      const [seed, size, edits, encoder] = values;
      const content = sampleContent(size, seed);
      for (const { at, bytes } of edits) content.set(bytes.subarray(0, Math.max(0, size - at)), Math.min(at, size));
      const bytes = await bytesOf(encoder.encode(inChunks(content, 30_011)));
      const result = await replayed({ bytes, content });
      expect(result).toMatchObject({ contentDigest: digestBytes(content) });
    }),
    { numRuns: Number(process.env.REPLAYS ?? 8) },
  );
});

it("the header of the wanted blob is kept, with its name, time and system", async () => {
  const content = sampleContent(300_000);
  const bytes = gzipSync(content, { level: 9 });
  const name = Buffer.from("layer.tar\0");
  const named = Buffer.concat([bytes.subarray(0, 10), name, bytes.subarray(10)]);
  named[3] = 8;
  named.set([1, 2, 3, 4], 4);
  named[9] = 7;
  expect(await replayed({ bytes: named, content })).toMatchObject({
    encoder: expect.stringMatching(/^gzip:zlib-[89]$/),
  });
});

it("a blob that no encoder makes, whose header is damaged, or that is too short for one, is not made", async () => {
  const content = sampleContent(200_000);
  const other = createGzip({ level: 6, strategy: constants.Z_FILTERED, memLevel: 3 });
  other.end(content);
  const odd = Buffer.from(await bytesOf(other));
  expect(await replayed({ bytes: odd, content })).toBeUndefined();
  const reserved = Buffer.from(gzipSync(content));
  reserved[3] = 0x80;
  expect(await replayed({ bytes: reserved, content })).toBeUndefined();
  expect(await replayed({ bytes: gzipSync(content), content, startBytes: 5 })).toBeUndefined();
});

it("a blob without compression is its content", async () => {
  const content = sampleContent(200_000);
  expect(await replayed({ bytes: content, content })).toMatchObject({ encoder: "untransformed" });
});

it("content that differs after its start is not stored, and few encoders are tried on all of it", async () => {
  const content = sampleContent(300_000);
  const bytes = gzipSync(content, { level: 6 });
  const changed = new Uint8Array(content);
  changed[299_999] = (changed[299_999] ?? 0) ^ 1;
  let attempts = 0;
  const counting = (level: number): Encoder => ({
    name: `gzip:counting-${level}`,
    probe: () => true,
    async *encode(chunks) {
      const all = await bytesOf(chunks);
      attempts++;
      yield gzipSync(all, { level: 6 });
    },
  });
  expect(await replayed({ bytes, content: changed, list: [1, 2, 3, 4, 5].map(counting) })).toBeUndefined();
  // Each is tried on the start, which is all of so little content, and three of them on everything.
  expect(attempts).toBeLessThanOrEqual(6);
});

it.each(["chosen", "known"])(
  "content that is far larger than the blob suggests ends a %s encoder early",
  async (how) => {
    const bytes = gzipSync(sampleContent(100_000));
    let read = 0;
    async function* bomb(): AsyncGenerator<Uint8Array> {
      for (;;) {
        read += 1024 * 1024;
        yield new Uint8Array(1024 * 1024);
      }
    }
    const silent: Encoder = {
      name: "gzip:silent",
      probe: () => true,
      async *encode(content) {
        for await (const chunk of content) yield chunk.subarray(0, 0);
      },
    };
    const options = { wanted: moteOf(bytes), start: bytes.subarray(0, 100), content: bomb, cache: new MemoryCache() };
    const making = how === "chosen" ? replay({ ...options, encoders: [silent] }) : replayWith(silent, options);
    await expect(making).rejects.toMatchObject({ code: "MOTE_TOO_LARGE" });
    expect(read).toBeLessThan(64 * 1024 * 1024);
  },
);

it("an encoder that is slower than required is not used", async () => {
  const content = sampleContent(100_000);
  const bytes = gzipSync(content);
  const cache = new MemoryCache();
  const wanted = moteOf(bytes);
  const options = { wanted, start: bytes.subarray(0, 1000), content: () => inChunks(content), cache };
  const minBytesPerSecond = Number.MAX_VALUE;
  expect(await replay({ ...options, encoders: encoders.list, minBytesPerSecond })).toBeUndefined();
  expect(await cache.moteExists(wanted.digest)).toBe(false);
});

it.each(["gzip:zlib-6", "gzip:go1.26-6", "gzip:pgzip1.20.4-5", "zstd:klauspost1.20.0-2", "untransformed"])(
  "an error while %s makes a blob ends it and its content early, and nothing is stored",
  async (name) => {
    const encoder = encoderNamed(name);
    const tooSlow = new Error("too slow");
    const block = sampleContent(1024 * 1024);
    const maxBlocks = 200;
    for (const by of ["onBytes", "content"]) {
      let blocks = 0;
      let isClosed = false;
      async function* content() {
        try {
          for (; blocks < maxBlocks; blocks++) {
            if (by === "content" && blocks === 8) throw tooSlow;
            yield block;
          }
        } finally {
          isClosed = true;
        }
      }
      const cache = new MemoryCache();
      const wanted = { ...moteOf(block), size: 1e9 };
      const onBytes = (bytes: number) => {
        if (by === "onBytes" && bytes > 0) throw tooSlow;
      };
      const making = replayWith(encoder, { wanted, start: new Uint8Array(), content, cache, onBytes });
      await expect(making).rejects.toBe(tooSlow);
      await vi.waitUntil(() => isClosed, { timeout: 30_000 });
      expect(blocks).toBeLessThan(maxBlocks);
      expect(await cache.moteExists(wanted.digest)).toBe(false);
    }
  },
);

it("a known encoder needs no start of the blob", async () => {
  const content = sampleContent(100_000);
  const bytes = gzipSync(content, { level: 1 });
  const encoder = encoderNamed("gzip:zlib-1");
  const cache = new MemoryCache();
  const options = { start: new Uint8Array(), content: () => inChunks(content), cache };
  expect(await replayWith(encoder, { wanted: moteOf(bytes), ...options })).toMatchObject({ encoder: "gzip:zlib-1" });
  const false_ = { ...moteOf(bytes), digest: digestBytes(content) as Digest };
  expect(await replayWith(encoder, { wanted: false_, ...options })).toBeUndefined();
});

it("damaged content is an error of the replay, and nothing is stored", async () => {
  const content = sampleContent(300_000);
  const bytes = gzipSync(content);
  const cache = new MemoryCache();
  async function* damaged(): AsyncGenerator<Uint8Array> {
    yield content.subarray(0, 200_000);
    throw new Error("its gzip is damaged");
  }
  const wanted = moteOf(bytes);
  const making = replay({ wanted, start: bytes.subarray(0, 1000), content: damaged, encoders: encoders.list, cache });
  await expect(making).rejects.toThrow("damaged");
  expect(await cache.moteExists(wanted.digest)).toBe(false);
});
