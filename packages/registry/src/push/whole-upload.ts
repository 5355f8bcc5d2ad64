import { isTransientStatus } from "../http/retry.js";
import type { UploadQuirks } from "./upload-quirks.js";
import type { Failed, Outcome, UploadRequests } from "./upload-requests.js";

/** Sends a blob in one request, and retries from the start. Returns false if it is too large for the registry, which may accept chunks. */
export async function sendWhole(requests: UploadRequests, quirks: UploadQuirks, bytes: Uint8Array): Promise<boolean> {
  for (let failures = 0; ; await requests.begin()) {
    const outcome = await sendOnce(requests, quirks, bytes);
    if (outcome.done) break;
    if (outcome.status === 413 && quirks.shrinkChunks(bytes.byteLength, requests.minChunkBytes)) {
      quirks.requestBytes = quirks.chunkBytes;
      return false;
    }
    await requests.pause(outcome, ++failures);
    // It may have succeeded although the response was lost.
    if (await requests.isThereByNow()) break;
  }
  requests.end();
  return true;
}

async function sendOnce(requests: UploadRequests, quirks: UploadQuirks, bytes: Uint8Array): Promise<Outcome> {
  if (!quirks.takesClosingBody) return requests.sendAndClose(bytes);
  const outcome = await requests.close(bytes);
  if (outcome.done || !mayBeOfBody(outcome)) return outcome;
  // Another client may have sent it concurrently.
  if (await requests.isThere()) return { done: true };
  await requests.begin();
  const second = await requests.sendAndClose(bytes);
  // A temporary error does not mean that the body was the reason.
  if (!second.done) return second.status === undefined || isTransientStatus(second.status) ? second : outcome;
  quirks.takesClosingBody = false;
  return second;
}

/** Streams a blob in one request. It cannot be repeated here: MOTE_UPLOAD_LOST makes the caller retry. */
export async function sendStream(
  requests: UploadRequests,
  quirks: UploadQuirks,
  { size, chunks }: { readonly size: number; readonly chunks: AsyncIterable<Uint8Array> },
): Promise<void> {
  const watched = watch(chunks);
  const headers = { "content-length": String(size) };
  let outcome: Outcome;
  try {
    const send = quirks.takesClosingBody ? requests.close : requests.sendAndClose;
    outcome = await send.call(requests, watched.chunks, headers);
  } catch (error) {
    throw watched.failure() ?? error;
  }
  if (!outcome.done) {
    if (watched.failure() !== undefined) throw watched.failure();
    if (outcome.status === undefined || isTransientStatus(outcome.status)) {
      await requests.pause(outcome, 1);
      throw requests.lost(outcome.error);
    }
    if (!(await requests.isThere())) {
      if (!quirks.takesClosingBody || !mayBeOfBody(outcome)) throw outcome.error;
      quirks.takesClosingBody = false;
      throw requests.toResend(outcome.error);
    }
  }
  requests.end();
}

/** Returns whether the body may be the reason: Artifactory sends 404 BLOB_UNKNOWN; others ignore the body and report its digest. */
function mayBeOfBody({ status }: Failed): boolean {
  return status !== undefined && bodyRefusals.has(status);
}

const bodyRefusals: ReadonlySet<number> = new Set([400, 404, 405, 409, 411, 415, 416, 422, 501]);

/** Passes chunks on, and records the source's error, which the connection replaces by its own. */
function watch(chunks: AsyncIterable<Uint8Array>): {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly failure: () => unknown;
} {
  let failure: unknown;
  const passOn = async function* () {
    try {
      yield* chunks;
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  return { chunks: passOn(), failure: () => failure };
}
