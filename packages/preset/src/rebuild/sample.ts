/** The first bytes of a layer. */
export interface Sample {
  readonly bytes: Uint8Array;
  /** The rate in bytes per second at which they arrived after the first of them; Infinity if all arrived at once. */
  readonly bytesPerSecond: number;
}

/** Reads the first bytes of a layer, and measures how fast they arrive. */
export async function readSample(chunks: AsyncIterable<Uint8Array>): Promise<Sample> {
  const read: Uint8Array[] = [];
  let firstMs: number | undefined;
  let lastMs = 0;
  for await (const chunk of chunks) {
    lastMs = performance.now();
    firstMs ??= lastMs;
    read.push(new Uint8Array(chunk));
  }
  const bytes = Buffer.concat(read);
  const later = bytes.byteLength - (read[0]?.byteLength ?? 0);
  const seconds = (lastMs - (firstMs ?? lastMs)) / 1000;
  return { bytes, bytesPerSecond: later > 0 && seconds > 0 ? later / seconds : Number.POSITIVE_INFINITY };
}
