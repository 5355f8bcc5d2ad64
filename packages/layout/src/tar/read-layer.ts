import type { Cancellable } from "@mote/core";
import { ByteReader } from "../compression/byte-reader.js";
import { compressionOf, magicBytes, uncompressedStream } from "../compression/uncompress.js";
import { UnpackLimits, type UnpackOptions } from "../compression/unpack-limits.js";
import type { TarEntry } from "./tar-headers.js";
import { readTar } from "./tar-reader.js";

/** A file, folder or link of a layer. */
export interface LayerEntry extends TarEntry {
  /** Must be read before the next entry, or not at all. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** Yields the entries of a tar, compressed or not. @param what for errors @throws MOTE_INVALID_ARCHIVE · MOTE_TOO_LARGE · as `chunks` */
export async function* readLayer(
  chunks: AsyncIterable<Uint8Array>,
  what: string,
  { signal, ...limits }: UnpackOptions & Cancellable = {},
): AsyncGenerator<LayerEntry, void, undefined> {
  const input = new ByteReader(chunks);
  const bounds = new UnpackLimits(limits);
  try {
    const magic = (await input.whole(magicBytes)).slice();
    const whole = from(magic, input);
    const compression = compressionOf(magic);
    const plain = compression === undefined ? whole : uncompressedStream(whole, what, { compression, signal });
    for await (const entry of readTar(bounds.bounded(plain, what), what)) {
      bounds.countEntry(what);
      signal?.throwIfAborted();
      yield entry;
    }
  } finally {
    await input.close();
  }
}

async function* from(magic: Uint8Array, input: ByteReader): AsyncGenerator<Uint8Array, void, undefined> {
  yield magic;
  yield* input.take(Number.POSITIVE_INFINITY);
}
