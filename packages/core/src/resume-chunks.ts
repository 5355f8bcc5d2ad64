/** How a stream ended: `error` is set where it failed. */
export interface StreamEnd {
  /** The byte at which the next stream has to begin. */
  readonly offset: number;
  /** The byte at which this one began. */
  readonly start: number;
  readonly failure?: { readonly error: unknown };
}

/**
 * Passes on the chunks of a stream, and after it those of a stream that begins at the very byte where it ended, for as long as `next` opens one.
 * @param first begins at the byte `start`
 * @param next is called at the end of each stream. It resolves to the stream to continue with, or to undefined if all bytes have been read, and
 *   rejects if the read has failed.
 */
export async function* resumeChunks(
  first: AsyncIterable<Uint8Array>,
  start: number,
  next: (end: StreamEnd) => Promise<AsyncIterable<Uint8Array> | undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let offset = start;
  for (let chunks: AsyncIterable<Uint8Array> | undefined = first; chunks !== undefined; ) {
    const begin = offset;
    let end: StreamEnd;
    try {
      for await (const chunk of chunks) {
        offset += chunk.byteLength;
        yield chunk;
      }
      end = { offset, start: begin };
    } catch (error) {
      end = { offset, start: begin, failure: { error } };
    }
    chunks = await next(end);
  }
}
