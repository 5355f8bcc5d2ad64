import { type CallOptions, chunksUntilAborted, type Descriptor } from "@mote/core";
import type { RepositoryApi } from "../repository-api.js";
import { resizeChunks } from "./chunk-bytes.js";
import { ChunkedUpload } from "./chunked-upload.js";
import type { UploadQuirks } from "./upload-quirks.js";
import { UploadRequests } from "./upload-requests.js";
import { copies, joined } from "./upload-stream.js";
import { sendStream, sendWhole } from "./whole-upload.js";

export interface UploadOptions extends CallOptions {
  /** A blob of up to so many bytes is sent in one request; a larger one in chunks of so many, of which one is kept in memory. */
  readonly chunkBytes: number;
  /** What is known of the registry, and recorded from its responses. */
  readonly quirks: UploadQuirks;
}

/** A registry that requires larger chunks gets a stream: a chunk is kept in memory. */
const largestChunkBytes = 64 * 1024 * 1024;

/**
 * Uploads a blob (distribution-spec, "Pushing blobs"), continuing after an error; what fails for good leaves no upload open. If chunks do not add up
 * to the blob, it goes in one when it is sent again with the same `quirks`. @throws as `RegistryDestination.blob`
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
      return await sendStream(requests, quirks, { size, chunks: joined(chunk.slice(), resized) });
    }
    await upload.finish();
  } catch (error) {
    const cancelling = requests.cancel();
    // The connections may be closed as soon as the error is known. An abort does not wait.
    if (!signal?.aborted) await cancelling;
    throw error;
  }
}
