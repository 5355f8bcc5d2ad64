import { createDigester, type Digest, digestAlgorithm } from "./digest.js";
import { MoteError } from "./error.js";

/**
 * Passes chunks on and ends cleanly only if they were `size` bytes that hash to `digest`.
 * @throws MOTE_SIZE_MISMATCH · MOTE_DIGEST_MISMATCH, or `MOTE_CORRUPT` for both where `damage` says that this is a kept copy
 */
export async function* verifyChunks(
  chunks: AsyncIterable<Uint8Array>,
  expected: { readonly digest: Digest; readonly size?: number | undefined },
  options: { readonly damage?: boolean } = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { digest, size } = expected;
  const digester = createDigester(digestAlgorithm(digest));
  let seen = 0;
  for await (const chunk of chunks) {
    seen += chunk.byteLength;
    if (size !== undefined && seen > size) throw wrongSize(digest, size, seen, options);
    digester.update(chunk);
    yield chunk;
  }
  if (size !== undefined && seen < size) throw wrongSize(digest, size, seen, options);
  const actual = digester.digest();
  if (actual !== digest) {
    throw new MoteError(
      options.damage ? "MOTE_CORRUPT" : "MOTE_DIGEST_MISMATCH",
      `expected ${digest}, and the bytes hash to ${actual}`,
      { details: { digest, actual } },
    );
  }
}

function wrongSize(digest: Digest, size: number, seen: number, options: { readonly damage?: boolean }): MoteError {
  const amount = seen > size ? `at least ${seen}` : String(seen);
  return new MoteError(
    options.damage ? "MOTE_CORRUPT" : "MOTE_SIZE_MISMATCH",
    `${digest} has ${size} bytes, and ${amount} came`,
    { details: { digest, expected: size, actual: seen } },
  );
}
