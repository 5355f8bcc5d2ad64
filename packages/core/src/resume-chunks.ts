/** Where and why a stream ended. */
export interface StreamEnd {
  /** The byte at which the next stream must begin. */
  readonly offset: number;
  /** The byte at which this stream began. */
  readonly start: number;
  /** Set if the stream failed. */
  readonly failure?: { readonly error: unknown };
}

/**
 * Yields the chunks of a stream, then those of the streams that `next` opens at the byte where the previous one ended.
 * @param first begins at the byte `start`
 * @param next is called at the end of each stream. It resolves to the next stream, or to undefined at the end of the content; it rejects if
 *   the content cannot be read.
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
