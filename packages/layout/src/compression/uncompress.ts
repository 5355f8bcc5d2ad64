import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { type Cancellable, MoteError } from "@mote/core";
import { ByteReader } from "../disk/byte-reader.js";
import { readChunks } from "../disk/chunks.js";
import { invalidArchive } from "../disk/file-error.js";
import type { OpenedFile } from "../disk/opened-file.js";
import { isSkippableFrame, isZstdFrame, uncompressZstd } from "./zstd.js";

export type Compression = "gzip" | "zstd";

/** Bytes needed to detect a file's compression. */
export const magicBytes = 4;

/** Of what Node decompresses. Chunks of 1 MiB take 20 to 30 MB more memory until they are collected, and are hardly faster. */
const chunkSize = 128 * 1024;

/** Detects a file's compression from its first bytes. */
export function compressionOf(magic: Uint8Array): Compression | undefined {
  if (magic[0] === 0x1f && magic[1] === 0x8b) return "gzip";
  return isZstdFrame(magic) || isSkippableFrame(magic) ? "zstd" : undefined;
}

/** Detects an open file's compression. */
export async function compressionOfFile({ handle, offset, size }: OpenedFile): Promise<Compression | undefined> {
  const magic = new Uint8Array(magicBytes);
  await handle.read(magic, 0, Math.min(magicBytes, size), offset);
  return compressionOf(magic);
}

interface UncompressOptions extends Cancellable {
  readonly compression: Compression;
}

/** Yields a file's bytes, uncompressed. @throws as `uncompressedStream` */
export function uncompressed(
  file: OpenedFile,
  location: string,
  options: UncompressOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  return uncompressedStream(readChunks(file, 0, location, options.signal), location, options);
}

/** Yields a decompressed stream, all members, in chunks of at most 1 MiB. @throws MOTE_INVALID_ARCHIVE if it is truncated or damaged */
async function* uncompressedStream(
  chunks: AsyncIterable<Uint8Array>,
  location: string,
  { compression, signal }: UncompressOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* compression === "gzip" ? gunzip(chunks) : uncompressZstd(chunks);
  } catch (error) {
    signal?.throwIfAborted();
    throw MoteError.isInstance(error)
      ? error
      : invalidArchive(location, `its ${compression} is damaged (${String(error)})`);
  }
}

/** Yields a stream, decompressed if it begins as gzip or zstd. @param location for errors @throws as `uncompressedStream` */
export async function* uncompressedBlob(
  chunks: AsyncIterable<Uint8Array>,
  location: string,
  { signal }: Cancellable = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const input = new ByteReader(chunks);
  try {
    const magic = new Uint8Array(await input.whole(magicBytes));
    const whole = from(magic, input);
    const compression = compressionOf(magic);
    yield* compression === undefined ? whole : uncompressedStream(whole, location, { compression, signal });
  } finally {
    await input.close();
  }
}

async function* from(magic: Uint8Array, input: ByteReader): AsyncGenerator<Uint8Array, void, undefined> {
  yield magic;
  yield* input.take(Number.POSITIVE_INFINITY);
}

/** Node decompresses all members, but silently stops at a zero byte, whatever follows. */
async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzipping = createGunzip({ chunkSize });
  let given = 0;
  let zerosStart = 0;
  async function* watched() {
    for await (const chunk of chunks) {
      const lastByte = chunk.findLastIndex((byte) => byte !== 0);
      if (lastByte >= 0) zerosStart = given + lastByte + 1;
      given += chunk.byteLength;
      yield chunk;
    }
  }
  // Read and decompression errors both end the output's iteration.
  pipeline(Readable.from(watched()), gunzipping, () => {});
  yield* gunzipping;
  if (gunzipping.bytesWritten < zerosStart) throw new Error("other data follows its end");
}
