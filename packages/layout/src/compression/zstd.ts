import { pipeline, Readable } from "node:stream";
import zlib from "node:zlib";
import { ByteReader } from "../disk/byte-reader.js";

/** RFC 8878, 3.1.1.1.2: the window is allocated at once. The default limit of zstd's library. */
const maxWindowBytes = 128 * 1024 * 1024;
const maxFrames = 1_000_000;
const maxBlockBytes = 128 * 1024;

export function isZstdFrame(magic: Uint8Array): boolean {
  return magic[0] === 0x28 && magic[1] === 0xb5 && magic[2] === 0x2f && magic[3] === 0xfd;
}

/** RFC 8878, 3.1.2. Parallel and seekable compressors write such frames. */
export function isSkippableFrame(magic: Uint8Array): boolean {
  return ((magic[0] ?? 0) & 0xf0) === 0x50 && magic[1] === 0x2a && magic[2] === 0x4d && magic[3] === 0x18;
}

/**
 * Decompresses all frames of a zstd stream. Frames are parsed here, as Node's decompressor stops after one, and accepts truncated ones.
 * @throws Error if the stream is damaged, is truncated, has trailing data, or needs too much memory
 */
export async function* uncompressZstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const input = new ByteReader(chunks);
  const decompressor = await newDecompressor();
  try {
    for (let frames = 0; ; ) {
      const magic = await input.whole(4);
      if (magic.byteLength === 0) return;
      if (isSkippableFrame(magic)) {
        const size = littleEndian(await exactly(input, 4));
        if ((await input.skip(size)) < size) throw cut();
        continue;
      }
      if (!isZstdFrame(magic)) throw new Error(magic.byteLength < 4 ? "it is truncated" : "other data follows its end");
      frames++;
      if (frames > maxFrames) throw new Error(`it has more than ${maxFrames} frames`);
      const header = await readHeader(input);
      let size = 0;
      for await (const chunk of decompressor.frame(frameChunks(magic, header, input))) {
        size += chunk.byteLength;
        yield chunk;
      }
      if (header.contentBytes !== undefined && size !== header.contentBytes) {
        throw new Error("a frame has other than the bytes that it declares");
      }
    }
  } finally {
    decompressor.close?.();
    await input.close();
  }
}

interface FrameHeader {
  readonly bytes: Uint8Array;
  readonly windowBytes: number;
  /** Undefined if the frame does not say. */
  readonly contentBytes: number | undefined;
  readonly hasChecksum: boolean;
}

/** RFC 8878, 3.1.1.1. */
async function readHeader(input: ByteReader): Promise<FrameHeader> {
  const [descriptor = 0] = await exactly(input, 1);
  if ((descriptor & 0x08) !== 0) throw new Error("a frame's header is not valid");
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const window = await exactly(input, isSingleSegment ? 0 : 1);
  const dictionary = await exactly(input, [0, 1, 2, 4][descriptor & 3] ?? 0);
  if (dictionary.some((byte) => byte !== 0)) throw new Error("it needs a dictionary");
  const sizeFlag = descriptor >> 6;
  const content = await exactly(input, sizeFlag === 0 ? Number(isSingleSegment) : 2 ** sizeFlag);
  const declared = littleEndian(content) + (sizeFlag === 1 ? 256 : 0);
  const contentBytes = content.byteLength === 0 ? undefined : declared;
  const [exponent, mantissa] = [(window[0] ?? 0) >> 3, (window[0] ?? 0) & 7];
  const windowBytes = isSingleSegment ? declared : 2 ** (10 + exponent) * (1 + mantissa / 8);
  if (windowBytes > maxWindowBytes) {
    throw new Error(`it needs a window of ${windowBytes} bytes; at most ${maxWindowBytes} are allowed`);
  }
  const bytes = Buffer.concat([Uint8Array.of(descriptor), window, dictionary, content]);
  return { bytes, windowBytes, contentBytes, hasChecksum: (descriptor & 0x04) !== 0 };
}

/** Yields one complete frame. RFC 8878, 3.1.1.2. */
async function* frameChunks(
  magic: Uint8Array,
  { bytes, windowBytes, hasChecksum }: FrameHeader,
  input: ByteReader,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield Buffer.concat([magic, bytes]);
  for (let isLast = false; !isLast; ) {
    const head = await exactly(input, 3);
    const fields = littleEndian(head);
    isLast = (fields & 1) !== 0;
    const type = (fields >> 1) & 3;
    const size = fields >> 3;
    if (type === 3 || size > Math.min(maxBlockBytes, windowBytes)) {
      throw new Error("a block's header is not valid");
    }
    yield Buffer.concat([head, await exactly(input, type === 1 ? 1 : size)]);
  }
  if (hasChecksum) yield await exactly(input, 4);
}

interface Decompressor {
  frame(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  close?(): void;
}

/** Uses Node if possible (22.15 and later), else the same library as WebAssembly. */
async function newDecompressor(): Promise<Decompressor> {
  if ("createZstdDecompress" in zlib && typeof zlib.createZstdDecompress === "function") {
    const create = zlib.createZstdDecompress;
    return {
      frame(chunks) {
        const decompressing = create({ chunkSize: maxBlockBytes });
        // Read and decompression errors both end the output's iteration.
        pipeline(Readable.from(chunks), decompressing, () => {});
        return decompressing;
      },
    };
  }
  const { ZstdDecoder } = await import("./zstd-decoder.js");
  const decoder = await ZstdDecoder.load();
  return {
    async *frame(chunks) {
      for await (const chunk of chunks) yield* decoder.decode(chunk);
      if (!decoder.isBetweenFrames) throw cut();
    },
    close: () => decoder.close(),
  };
}

async function exactly(input: ByteReader, bytes: number): Promise<Uint8Array> {
  const taken = await input.whole(bytes);
  if (taken.byteLength < bytes) throw cut();
  return taken;
}

function cut(): Error {
  return new Error("it is truncated");
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
}
