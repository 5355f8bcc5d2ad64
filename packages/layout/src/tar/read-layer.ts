import type { Cancellable } from "@mote/core";
import { uncompressedBlob } from "../compression/uncompress.js";
import { UnpackLimits, type UnpackOptions } from "../compression/unpack-limits.js";
import type { TarEntry } from "./tar-headers.js";
import { readTar } from "./tar-reader.js";

/** A file, folder or link of a layer. */
export interface LayerEntry extends TarEntry {
  /** Must be read before the next entry, or not at all. `whole` reads all of a small one. */
  readonly content: AsyncIterable<Uint8Array> & { whole(): Promise<Uint8Array> };
}

/** Yields the entries of a tar, compressed or not. @param what for errors @throws MOTE_INVALID_ARCHIVE · MOTE_TOO_LARGE · as `chunks` */
export async function* readLayer(
  chunks: AsyncIterable<Uint8Array>,
  what: string,
  { signal, ...limits }: UnpackOptions & Cancellable = {},
): AsyncGenerator<LayerEntry, void, undefined> {
  const bounds = new UnpackLimits(limits);
  for await (const entry of readTar(bounds.bounded(uncompressedBlob(chunks, what, { signal }), what), what)) {
    bounds.countEntry(what);
    signal?.throwIfAborted();
    yield entry;
  }
}
