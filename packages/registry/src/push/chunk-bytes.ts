import { type Descriptor, MoteError } from "@mote/core";

/**
 * Yields the bytes in chunks of `chunkBytes`, at least one, the last shorter. A chunk is valid until the next read. The last is
 * yielded only after the source ended cleanly. @throws MOTE_SIZE_MISMATCH if the size is not the descriptor's
 */
export async function* resizeChunks(
  chunks: AsyncIterable<Uint8Array>,
  descriptor: Descriptor,
  chunkBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { size } = descriptor;
  const buffer = new Uint8Array(Math.min(size, chunkBytes));
  let filled = 0;
  let seen = 0;
  for await (const chunk of chunks) {
    seen += chunk.byteLength;
    if (seen > size) throw wrongSize(descriptor, seen);
    for (let at = 0; at < chunk.byteLength; ) {
      if (filled === buffer.byteLength) {
        yield buffer;
        filled = 0;
      }
      const part = chunk.subarray(at, at + buffer.byteLength - filled);
      buffer.set(part, filled);
      filled += part.byteLength;
      at += part.byteLength;
    }
  }
  if (seen < size) throw wrongSize(descriptor, seen);
  yield buffer.subarray(0, filled);
}

function wrongSize({ digest, size }: Descriptor, seen: number): MoteError {
  return new MoteError("MOTE_SIZE_MISMATCH", `${digest} has ${size} bytes, but ${seen} were to be uploaded`, {
    details: { digest, expected: size, actual: seen },
  });
}
