import { MoteError } from "@mote/core";

/**
 * Delays each chunk until the next one, so that the last chunk is sent only after the reader has verified the content: a client that reads
 * `Content-Length` bytes must not get damaged content.
 * @throws MOTE_SIZE_MISMATCH
 */
export async function* completeChunks(chunks: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined;
  let seen = 0;
  for await (const chunk of chunks) {
    if (chunk.byteLength === 0) continue;
    seen += chunk.byteLength;
    if (seen > length) break;
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (seen !== length) {
    throw new MoteError("MOTE_SIZE_MISMATCH", `expected ${length} bytes, but read at least ${seen}`, {
      details: { expected: length, actual: seen },
    });
  }
  if (held !== undefined) yield held;
}
