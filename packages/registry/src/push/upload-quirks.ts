import type { Digest } from "@mote/core";

/** A registry that says that this is too large gets nothing smaller. */
const smallestPieceBytes = 256 * 1024;

/** How a registry takes uploads, as far as it has been seen. */
export class UploadQuirks {
  /** Bytes of one request at most; more were too many. */
  requestBytes = Number.POSITIVE_INFINITY;
  /** The same of a piece: GHCR takes 4 MiB, but a whole blob of any size. */
  pieceBytes = Number.POSITIVE_INFINITY;
  takesPieces = true;
  /** Whether the request that closes an upload may have the blob as its body. If not, that goes before it, as docker does it. */
  takesClosingBody = true;
  /** Blobs whose pieces did not add up, or were refused. They are sent again in one. */
  readonly inOnePiece = new Set<Digest>();

  /** Halves the pieces after one of so many bytes was too large. False if they would be too small, or smaller than the registry wants. */
  shrinkPieces(bytes: number, least: number): boolean {
    const half = Math.ceil(bytes / 2);
    if (half < Math.max(smallestPieceBytes, least)) return false;
    this.pieceBytes = half;
    return true;
  }
}
