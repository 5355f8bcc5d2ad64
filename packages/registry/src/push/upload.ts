import { type CallOptions, chunksUntilAborted, type Descriptor } from "@mote/core";
import { copies, joined } from "../http/chunks.js";
import type { RepositoryApi } from "../repository-api.js";
import { resizeChunks } from "./chunk-bytes.js";
import { ChunkedUpload } from "./chunked-upload.js";
import type { UploadQuirks } from "./upload-quirks.js";
import { UploadRequests } from "./upload-requests.js";
import { sendStream, sendWhole } from "./whole-upload.js";

export interface UploadOptions extends CallOptions {
  /** Maximum size in bytes of a request; larger blobs are sent in chunks of this size, one of which is kept in memory. */
  readonly chunkBytes: number;
  /** The registry's quirks, updated from its responses. */
  readonly quirks: UploadQuirks;
}

/** Larger minimum chunks are not buffered: the blob is streamed. */
const largestChunkBytes = 64 * 1024 * 1024;

/**
 * Uploads a blob (distribution-spec, "Pushing blobs"), continuing after an error; cancels the upload on a permanent error. If chunks
 * do not add up to it, a repeated call with the same `quirks` sends it in one request. @throws as `RegistryDestination.blob`
 */
export async function uploadBlob(
  api: RepositoryApi,
  descriptor: Descriptor,
  chunks: AsyncIterable<Uint8Array>,
  { chunkBytes, quirks, signal, onEvent }: UploadOptions,
): Promise<void> {
  const { size, digest } = descriptor;
  const requests = new UploadRequests(api, descriptor, { signal, onEvent });
  try {
    await requests.begin();
    const { minChunkBytes: least, maxChunkBytes: most } = requests;
    const fitsMemory = least <= largestChunkBytes;
    const atLeast = (bytes: number) => Math.max(bytes, fitsMemory ? least : 0);
    const requestBytes = Math.min(chunkBytes, most, quirks.requestBytes);
    const isWhole = size <= atLeast(requestBytes);
    const takesChunks = fitsMemory && quirks.takesChunks && !quirks.inOneRequest.has(digest);
    const bytesEach = isWhole ? size : atLeast(Math.min(requestBytes, quirks.chunkBytes));
    const resized = resizeChunks(chunksUntilAborted(chunks, signal), descriptor, bytesEach);
    if (!isWhole && !takesChunks) return await sendStream(requests, quirks, { size, chunks: copies(resized) });
    const upload = new ChunkedUpload(requests, quirks, digest);
    for await (const chunk of resized) {
      if (isWhole) {
        if (await sendWhole(requests, quirks, chunk)) return;
        await requests.begin();
      }
      if (await upload.append(chunk)) continue;
      await requests.begin();
      return await sendStream(requests, quirks, { size, chunks: joined(new Uint8Array(chunk), copies(resized)) });
    }
    await upload.finish();
  } catch (error) {
    const cancelling = requests.cancel();
    // The caller may close the connections after the error. An abort does not wait.
    if (!signal?.aborted) await cancelling;
    throw error;
  }
}
