/** Yields a chunk, then the others. */
export async function* joined(
  first: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield first;
  yield* copies(rest);
}

/** The sender may use a chunk when it reads the next. */
export async function* copies(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) yield chunk.slice();
}

/** Passes chunks on, and records the source's error, which the connection replaces by its own. */
export function watch(chunks: AsyncIterable<Uint8Array>): {
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
