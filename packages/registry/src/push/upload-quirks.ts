import type { Digest } from "@mote/core";

/** Requests are never made smaller than this. */
const smallestChunkBytes = 256 * 1024;

/** A registry's upload behaviour, as observed. */
export class UploadQuirks {
  /** Maximum bytes of a request; larger ones failed. */
  requestBytes = Number.POSITIVE_INFINITY;
  /** The same for a chunk: GHCR accepts 4 MiB, but complete blobs of any size. */
  chunkBytes = Number.POSITIVE_INFINITY;
  takesChunks = true;
  /** Whether the closing request may contain the blob. If not, it is sent before, like docker. */
  takesClosingBody = true;
  /** Blobs whose chunks did not add up or were rejected: retried in one request. */
  readonly inOneRequest = new Set<Digest>();

  /** Halves the chunk size after a chunk was too large. Returns false if it would be too small for us or the registry. */
  shrinkChunks(bytes: number, least: number): boolean {
    const half = Math.ceil(bytes / 2);
    if (half < Math.max(smallestChunkBytes, least)) return false;
    this.chunkBytes = half;
    return true;
  }
}
