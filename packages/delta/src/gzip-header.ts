/** The header of a gzip member (RFC 1952, 2.3). */
export interface GzipHeader {
  readonly bytes: Uint8Array;
  /** Whether its encoder claims its best or its fastest level, or neither. */
  readonly level: "best" | "fastest" | "other";
  /** 255 is unknown, which Go writes. */
  readonly system: number;
  /** Unix seconds, modulo 2^32. */
  readonly time: number;
}

const fixedBytes = 10;
const flags = { headerChecksum: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 };

/** Reads the header of a gzip stream. Returns undefined if it is not valid, or does not end within these bytes. */
export function readGzipHeader(start: Uint8Array): GzipHeader | undefined {
  const [first, second, method, flag = 0] = start;
  if (start.byteLength < fixedBytes || first !== 0x1f || second !== 0x8b || method !== 8) return undefined;
  if ((flag & flags.reserved) !== 0) return undefined;
  let end = fixedBytes;
  if ((flag & flags.extra) !== 0) end += 2 + (start[end] ?? 0) + 256 * (start[end + 1] ?? 0);
  for (const text of [flags.name, flags.comment]) {
    if ((flag & text) === 0) continue;
    const zero = start.indexOf(0, end);
    if (zero < 0) return undefined;
    end = zero + 1;
  }
  if ((flag & flags.headerChecksum) !== 0) end += 2;
  if (end > start.byteLength) return undefined;
  const level = start[8] === 2 ? "best" : start[8] === 4 ? "fastest" : "other";
  const time = new DataView(start.buffer, start.byteOffset).getUint32(4, true);
  return { bytes: start.slice(0, end), level, system: start[9] ?? 0, time };
}

/** Returns the header of a gzip stream that begins with these bytes; empty if it is not a valid gzip stream. */
export function gzipHeaderOf(start: Uint8Array): Uint8Array {
  return readGzipHeader(start)?.bytes ?? new Uint8Array();
}

/** Replaces the fixed header that an encoder writes by that of the wanted stream. */
export async function* withGzipHeader(
  chunks: AsyncIterable<Uint8Array>,
  header: Uint8Array,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield header;
  let left = fixedBytes;
  for await (const chunk of chunks) {
    const skipped = Math.min(left, chunk.byteLength);
    left -= skipped;
    if (skipped < chunk.byteLength) yield chunk.subarray(skipped);
  }
}
