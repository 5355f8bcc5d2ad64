import { type Cancellable, collectChunks, createDigester, type Digest, type DigestAlgorithm } from "@mote/core";
import { readFailed } from "./file-error.js";
import type { OpenedFile } from "./opened-file.js";

/** Large reads: at 64 KiB, Node spends more time on calls than on bytes. */
const chunkBytes = 1024 * 1024;

/** Yields a file's bytes from `start`. Reads ahead one chunk. */
export async function* readChunks(
  file: OpenedFile,
  start: number,
  path: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let position = start;
  let next = readChunk(file, position, path, signal);
  for (;;) {
    const chunk = await next;
    if (chunk.byteLength === 0) return;
    position += chunk.byteLength;
    next = readChunk(file, position, path, signal);
    next.catch(() => {});
    yield chunk;
  }
}

async function readChunk(
  { handle, offset, size }: OpenedFile,
  position: number,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  signal?.throwIfAborted();
  const wanted = Math.min(chunkBytes, size - position);
  if (wanted <= 0) return new Uint8Array(0);
  const chunk = new Uint8Array(Buffer.allocUnsafeSlow(wanted).buffer);
  try {
    const { bytesRead } = await handle.read(chunk, 0, wanted, offset + position);
    return chunk.subarray(0, bytesRead);
  } catch (error) {
    throw readFailed(error, path);
  }
}

/** Returns the digest of an open file. @throws MOTE_IO */
export async function hashFile(
  file: OpenedFile,
  path: string,
  { algorithm, signal }: Cancellable & { readonly algorithm?: DigestAlgorithm },
): Promise<Digest> {
  const digester = createDigester(algorithm);
  for await (const chunk of readChunks(file, 0, path, signal)) digester.update(chunk);
  return digester.digest();
}

/** Reads a small file, and closes it. @throws MOTE_TOO_LARGE · MOTE_IO */
export async function collectFile(
  file: OpenedFile,
  what: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  try {
    return await collectChunks(readChunks(file, 0, what, signal), { maxBytes, what });
  } finally {
    await file.handle.close();
  }
}
