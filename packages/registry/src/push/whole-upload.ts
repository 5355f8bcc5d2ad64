import { isTransientStatus } from "../http/retry.js";
import type { UploadQuirks } from "./upload-quirks.js";
import type { Failed, Outcome, UploadRequests } from "./upload-requests.js";
import { watch } from "./upload-stream.js";

/**
 * Sends a blob in one request, in the session that has begun, and repeats it as a whole. Returns false if that is too large for the
 * registry: then it may take smaller pieces.
 */
export async function sendWhole(requests: UploadRequests, habits: UploadQuirks, bytes: Uint8Array): Promise<boolean> {
  for (let failures = 0; ; await requests.begin()) {
    const outcome = await sendOnce(requests, habits, bytes);
    if (outcome.done) break;
    if (outcome.status === 413 && habits.shrinkPieces(bytes.byteLength, requests.leastPieceBytes)) {
      habits.requestBytes = habits.pieceBytes;
      return false;
    }
    await requests.pause(outcome, ++failures);
    // Closing may have succeeded although its response was lost.
    if (await requests.isThereByNow()) break;
  }
  requests.end();
  return true;
}

async function sendOnce(requests: UploadRequests, habits: UploadQuirks, bytes: Uint8Array): Promise<Outcome> {
  if (!habits.takesClosingBody) return requests.sendAndClose(bytes);
  const outcome = await requests.close(bytes);
  if (outcome.done || !mayBeOfBody(outcome)) return outcome;
  // Two clients may have sent it at once.
  if (await requests.isThere()) return { done: true };
  await requests.begin();
  const second = await requests.sendAndClose(bytes);
  // What may pass says nothing of whether the body was the reason.
  if (!second.done) return second.status === undefined || isTransientStatus(second.status) ? second : outcome;
  habits.takesClosingBody = false;
  return second;
}

/**
 * Sends a blob in one request, as its bytes come, in the session that has begun. It cannot be repeated here: MOTE_UPLOAD_LOST asks for
 * the bytes again.
 */
export async function sendStream(
  requests: UploadRequests,
  habits: UploadQuirks,
  { size, chunks }: { readonly size: number; readonly chunks: AsyncIterable<Uint8Array> },
): Promise<void> {
  const watched = watch(chunks);
  const headers = { "content-length": String(size) };
  let outcome: Outcome;
  try {
    const send = habits.takesClosingBody ? requests.close : requests.sendAndClose;
    outcome = await send.call(requests, watched.chunks, headers);
  } catch (error) {
    throw watched.failure() ?? error;
  }
  if (!outcome.done) {
    if (watched.failure() !== undefined) throw watched.failure();
    if (outcome.status === undefined || isTransientStatus(outcome.status)) {
      await requests.pause(outcome, 1);
      throw requests.lost(outcome.fault);
    }
    if (!(await requests.isThere())) {
      if (!habits.takesClosingBody || !mayBeOfBody(outcome)) throw outcome.fault;
      habits.takesClosingBody = false;
      throw requests.toResend(outcome.fault);
    }
  }
  requests.end();
}

/**
 * Whether a registry may have refused to close an upload because of the request's body. Artifactory answers 404 BLOB_UNKNOWN; one that
 * ignores the body finds that the digest is another.
 */
function mayBeOfBody({ status }: Failed): boolean {
  return status !== undefined && bodyRefusals.has(status);
}

const bodyRefusals: ReadonlySet<number> = new Set([400, 404, 405, 409, 411, 415, 416, 422, 501]);
