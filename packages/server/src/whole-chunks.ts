import { MoteError } from "@mote/core";

/**
 * Holds each chunk back until the next has come, so that the last is let go only when the reader has ended cleanly: a client
 * that counts to `Content-Length` must not come to a whole that is damaged.
 * @throws MOTE_SIZE_MISMATCH
 */
export async function* wholeChunks(chunks: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
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
    throw new MoteError("MOTE_SIZE_MISMATCH", `${length} bytes were announced, and ${seen} or more came`, {
      details: { expected: length, actual: seen },
    });
  }
  if (held !== undefined) yield held;
}
