import { MoteError, type MoteReader, type MoteReaderAt } from "@mote/core";

/** Returns a reader with random access, which sends one request per read. @param open opens bytes `start` to `end`, exclusive */
export function rangeReaderAt(
  size: number,
  open: (start: number, end: number, signal: AbortSignal | undefined) => Promise<MoteReader>,
): MoteReaderAt {
  let isClosed = false;
  const close = async () => {
    isClosed = true;
  };
  return {
    size,
    close,
    [Symbol.asyncDispose]: close,
    async readAt(into, position, { signal } = {}) {
      if (isClosed) throw new MoteError("MOTE_CLOSED", "the reader is closed");
      if (!Number.isSafeInteger(position) || position < 0)
        throw new TypeError(`position must be a number of bytes, not ${position}`);
      const end = Math.min(position + into.byteLength, size);
      if (position >= end) return 0;
      await using reader = await open(position, end, signal);
      let filled = 0;
      for await (const chunk of reader) {
        into.set(chunk, filled);
        filled += chunk.byteLength;
      }
      return filled;
    },
  };
}
