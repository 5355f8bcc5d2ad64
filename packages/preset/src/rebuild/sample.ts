/** The first bytes of a layer. */
export interface Sample {
  readonly bytes: Uint8Array;
  /** The rate in bytes per second at which the second half of them arrived, as connections are slow at their start; Infinity if it arrived at once. */
  readonly bytesPerSecond: number;
}

/** Reads the first bytes of a layer, and measures how fast they arrive. @param expected how many there are */
export async function readSample(chunks: AsyncIterable<Uint8Array>, expected: number): Promise<Sample> {
  const read: Uint8Array[] = [];
  let received = 0;
  let half: { readonly bytes: number; readonly ms: number } | undefined;
  let lastMs = 0;
  for await (const chunk of chunks) {
    lastMs = performance.now();
    received += chunk.byteLength;
    if (received >= expected / 2) half ??= { bytes: received, ms: lastMs };
    read.push(new Uint8Array(chunk));
  }
  const bytes = Buffer.concat(read);
  const later = received - (half?.bytes ?? received);
  const seconds = (lastMs - (half?.ms ?? lastMs)) / 1000;
  return { bytes, bytesPerSecond: later > 0 && seconds > 0 ? later / seconds : Number.POSITIVE_INFINITY };
}
