import { type Digest, parseDigest } from "./digest.js";
import { MoteError } from "./error.js";
import { joinChunks } from "./join-chunks.js";
import type { MoteSource, ReadOptions } from "./mote.js";
import { verifyChunks } from "./verify-chunks.js";

/**
 * Reads and verifies a small mote.
 * @throws MOTE_TOO_LARGE if it has more than `maxBytes` bytes · MOTE_NOT_FOUND · MOTE_CORRUPT
 */
export async function readMote(
  source: MoteSource,
  digest: Digest,
  options: Pick<ReadOptions, "signal" | "countsAsUse"> & { readonly maxBytes: number },
): Promise<Uint8Array> {
  parseDigest(digest);
  const { maxBytes, signal, countsAsUse } = options;
  await using reader = await source.moteReader(digest, { signal, countsAsUse });
  const { size } = reader.info;
  if (size > maxBytes) throw tooLarge(digest, size, maxBytes);
  return await collectChunks(verifyChunks(reader, { digest }, { damage: true }), { maxBytes, what: digest });
}

/** Returns all chunks as one array. @throws MOTE_TOO_LARGE, naming `what`, as soon as there are more than `maxBytes` bytes */
export async function collectChunks(
  chunks: AsyncIterable<Uint8Array>,
  options: { readonly maxBytes: number; readonly what: string },
): Promise<Uint8Array> {
  const read: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.byteLength;
    if (length > options.maxBytes) throw tooLarge(options.what, length, options.maxBytes);
    read.push(chunk);
  }
  return joinChunks(read);
}

function tooLarge(what: string, size: number, maxBytes: number): MoteError {
  return new MoteError("MOTE_TOO_LARGE", `${what} has at least ${size} bytes; the limit is ${maxBytes} bytes`, {
    details: { what, size, maxBytes },
  });
}
