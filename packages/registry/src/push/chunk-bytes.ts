import { type Descriptor, MoteError } from "@mote/core";

/**
 * The chunks in pieces of `pieceBytes`, the last one shorter, at least one. A piece is good until the next is asked for: all of
 * them use the same memory. The last comes only after the chunks have ended cleanly.
 * @throws MOTE_SIZE_MISMATCH where they are not as many bytes as the descriptor says
 */
export async function* inPieces(
  chunks: AsyncIterable<Uint8Array>,
  descriptor: Descriptor,
  pieceBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { size } = descriptor;
  const piece = new Uint8Array(Math.min(size, pieceBytes));
  let filled = 0;
  let seen = 0;
  for await (const chunk of chunks) {
    seen += chunk.byteLength;
    if (seen > size) throw wrongSize(descriptor, seen);
    for (let at = 0; at < chunk.byteLength; ) {
      if (filled === piece.byteLength) {
        yield piece;
        filled = 0;
      }
      const part = chunk.subarray(at, at + piece.byteLength - filled);
      piece.set(part, filled);
      filled += part.byteLength;
      at += part.byteLength;
    }
  }
  if (seen < size) throw wrongSize(descriptor, seen);
  yield piece.subarray(0, filled);
}

function wrongSize({ digest, size }: Descriptor, seen: number): MoteError {
  return new MoteError("MOTE_SIZE_MISMATCH", `${digest} has ${size} bytes, and ${seen} came to be uploaded`, {
    details: { digest, expected: size, actual: seen },
  });
}
