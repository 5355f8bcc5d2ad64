import { chunksUntilAborted, type Descriptor } from "@mote/core";
import type { RequestOptions } from "../reports/registry-event.js";
import type { RepositoryApi } from "../repository-api.js";
import { inPieces } from "./chunk-bytes.js";
import { ChunkedUpload } from "./chunked-upload.js";
import type { UploadQuirks } from "./upload-quirks.js";
import { UploadRequests } from "./upload-requests.js";
import { copies, joined } from "./upload-stream.js";
import { sendStream, sendWhole } from "./whole-upload.js";

export interface UploadOptions extends RequestOptions {
  /** A blob of up to so many bytes is sent in one request; a larger one in pieces of so many, of which one is kept in memory. */
  readonly pieceBytes: number;
  /** What is known of the registry, and learnt from it. */
  readonly habits: UploadQuirks;
}

/** A registry that wants larger pieces gets a stream: a piece is kept in memory. */
const largestPieceBytes = 64 * 1024 * 1024;

/**
 * Uploads a blob (distribution-spec, "Pushing blobs"). Continues after an error from the byte that the registry has; what fails for good
 * leaves no upload open. If pieces do not add up to the blob, or are refused, it goes in one when it is sent again with the same `habits`.
 * @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH · MOTE_UPLOAD_LOST. The bytes may be sent again after MOTE_UPLOAD_LOST, and after
 *   MOTE_DIGEST_MISMATCH if `details.mayResend` is true
 */
export async function uploadBlob(
  api: RepositoryApi,
  descriptor: Descriptor,
  chunks: AsyncIterable<Uint8Array>,
  { pieceBytes, habits, signal, onEvent }: UploadOptions,
): Promise<void> {
  const { size, digest } = descriptor;
  const requests = new UploadRequests(api, descriptor, { signal, onEvent });
  try {
    await requests.begin();
    const { leastPieceBytes: least, mostPieceBytes: most } = requests;
    const isLeastKept = least <= largestPieceBytes;
    const atLeast = (bytes: number) => Math.max(bytes, isLeastKept ? least : 0);
    const requestBytes = Math.min(pieceBytes, most, habits.requestBytes);
    const isWhole = size <= atLeast(requestBytes);
    const takesPieces = isLeastKept && habits.takesPieces && !habits.inOnePiece.has(digest);
    const piecesOf = isWhole ? size : atLeast(Math.min(requestBytes, habits.pieceBytes));
    const pieces = inPieces(chunksUntilAborted(chunks, signal), descriptor, piecesOf);
    if (!isWhole && !takesPieces) return await sendStream(requests, habits, { size, chunks: copies(pieces) });
    const upload = new ChunkedUpload(requests, habits, digest);
    for await (const piece of pieces) {
      if (isWhole) {
        if (await sendWhole(requests, habits, piece)) return;
        await requests.begin();
      }
      if (await upload.append(piece)) continue;
      await requests.begin();
      return await sendStream(requests, habits, { size, chunks: joined(piece.slice(), pieces) });
    }
    await upload.finish();
  } catch (error) {
    requests.cancel();
    throw error;
  }
}
