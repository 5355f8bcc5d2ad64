import { type Duplex, pipeline, Readable } from "node:stream";
import zlib, { createGunzip } from "node:zlib";
import { type Cancellable, MoteError } from "@mote/core";
import { readChunks } from "./chunks.js";
import type { OpenedFile } from "./named-files.js";
import { invalidArchive } from "./tar-header.js";

export type Compression = "gzip" | "zstd";

/** How a compressed chunk is cut before it is uncompressed: 4 bytes may come to 128 KiB. */
const zstdPieceBytes = 512;
/** RFC 8878, section 3.1.1.1.2: what zstd's own library takes without being told to, and so do we. */
const largestWindowLog = 27;

/** By the first bytes of a file. */
export function compressionOf(magic: Uint8Array): Compression | undefined {
  if (magic[0] === 0x1f && magic[1] === 0x8b) return "gzip";
  return magic[0] === 0x28 && magic[1] === 0xb5 && magic[2] === 0x2f && magic[3] === 0xfd ? "zstd" : undefined;
}

/** A file's bytes, uncompressed. @throws MOTE_INVALID_ARCHIVE */
export async function* uncompressed(
  file: OpenedFile,
  place: string,
  { compression, signal }: Cancellable & { readonly compression: Compression },
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = readChunks(file, 0, place, signal);
  try {
    if (compression === "gzip") yield* through(chunks, createGunzip({ chunkSize: 1024 * 1024 }));
    else yield* unzstd(chunks);
  } catch (error) {
    signal?.throwIfAborted();
    throw MoteError.isInstance(error)
      ? error
      : invalidArchive(place, `its ${compression} is damaged (${String(error)})`);
  }
}

async function* through(chunks: AsyncIterable<Uint8Array>, uncompressing: Duplex): AsyncGenerator<Uint8Array> {
  // Failures of reading and of uncompressing both end the iteration below.
  pipeline(Readable.from(chunks), uncompressing, () => {});
  yield* uncompressing;
}

/** By Node where it can (22.15 and later), else in JavaScript. */
async function* unzstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if ("createZstdDecompress" in zlib && typeof zlib.createZstdDecompress === "function") {
    yield* through(chunks, zlib.createZstdDecompress({ chunkSize: 1024 * 1024 }));
    return;
  }
  const { Decompress } = await import("fzstd");
  const ready: Uint8Array[] = [];
  const frames = new Decompress((chunk) => {
    if (chunk.byteLength > 0) ready.push(chunk);
  });
  let isFirst = true;
  for await (const chunk of chunks) {
    if (isFirst) assertWindow(chunk);
    isFirst = false;
    for (let at = 0; at < chunk.byteLength; at += zstdPieceBytes) {
      frames.push(chunk.subarray(at, at + zstdPieceBytes));
      yield* ready.splice(0);
    }
  }
  frames.push(new Uint8Array(0), true);
  yield* ready.splice(0);
}

/** It is allotted at once, whatever follows. */
function assertWindow(frame: Uint8Array): void {
  const isSingleSegment = ((frame[4] ?? 0) & 0x20) !== 0;
  if (!isSingleSegment && 10 + ((frame[5] ?? 0) >> 3) > largestWindowLog) throw new Error("its window is too large");
}
