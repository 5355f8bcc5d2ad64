import { ContentVerifier, type ExpectedContent, type VerifierOptions } from "./content-verifier.js";

/**
 * Yields the chunks unchanged and verifies their size and digest at the end.
 * @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH, or MOTE_CORRUPT with `damage`
 */
export async function* verifyChunks(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  expected: ExpectedContent,
  options: VerifierOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const verifier = new ContentVerifier(expected, options);
  for await (const chunk of chunks) {
    verifier.update(chunk);
    yield chunk;
  }
  verifier.finish();
}
