import { MoteError } from "@mote/core";

/** Bytes at the end that are sent only after the reader has verified the content. */
const heldBytes = 4096;

/**
 * Holds the last bytes until the reader has verified the content: a client that reads `Content-Length` bytes must not get damaged content.
 * @throws MOTE_SIZE_MISMATCH
 */
export async function* completeChunks(chunks: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
  const firstHeld = Math.max(0, length - heldBytes);
  const held: Uint8Array[] = [];
  let position = 0;
  for await (const chunk of chunks) {
    const sent = Math.min(Math.max(0, firstHeld - position), chunk.byteLength);
    position += chunk.byteLength;
    if (position > length) break;
    if (sent > 0) yield chunk.subarray(0, sent);
    // Buffer.slice does not copy, and the reader may reuse the chunk's memory.
    if (sent < chunk.byteLength) held.push(new Uint8Array(chunk.subarray(sent)));
  }
  if (position !== length) {
    throw new MoteError("MOTE_SIZE_MISMATCH", `expected ${length} bytes, but read at least ${position}`, {
      details: { expected: length, actual: position },
    });
  }
  yield* held;
}

/** Reads the first chunk, so that an error of the reader can still become a response. */
export async function withFirstChunk(chunks: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    if (first.done) return;
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => iterator };
  })();
}
