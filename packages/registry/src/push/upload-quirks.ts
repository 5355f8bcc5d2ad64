import type { Digest } from "@mote/core";

/** A registry that says that this is too large gets nothing smaller. */
const smallestChunkBytes = 256 * 1024;

/** How a registry takes uploads, as far as it has been seen. */
export class UploadQuirks {
  /** Bytes of one request at most; more were too many. */
  requestBytes = Number.POSITIVE_INFINITY;
  /** The same of a chunk: GHCR takes 4 MiB, but a complete blob of any size. */
  chunkBytes = Number.POSITIVE_INFINITY;
  takesChunks = true;
  /** Whether the request that closes an upload may have the blob as its body. If not, that goes before it, as docker does it. */
  takesClosingBody = true;
  /** Blobs whose chunks did not add up, or were rejected. They are sent again in one. */
  readonly inOneRequest = new Set<Digest>();

  /** Halves the chunks after one of so many bytes was too large. False if they would be too small, or smaller than the registry wants. */
  shrinkChunks(bytes: number, least: number): boolean {
    const half = Math.ceil(bytes / 2);
    if (half < Math.max(smallestChunkBytes, least)) return false;
    this.chunkBytes = half;
    return true;
  }
}
