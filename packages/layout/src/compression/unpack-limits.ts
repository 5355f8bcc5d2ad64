import { MoteError } from "@mote/core";

/** Limits on unpacking. A small archive can expand to a very large one. */
export interface UnpackOptions {
  /** Decompressed bytes of all archives together. Default: 100 GiB. */
  readonly maxUnpackedBytes?: number | undefined;
  /** Files, folders and links of all archives together. Default: 2,000,000. */
  readonly maxEntries?: number | undefined;
}

const defaultMaxUnpackedBytes = 100 * 1024 ** 3;
const defaultMaxEntries = 2_000_000;

/** Counts the content unpacked by one destination or source. */
export class UnpackLimits {
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  #bytes = 0;
  #entries = 0;

  constructor({ maxUnpackedBytes = defaultMaxUnpackedBytes, maxEntries = defaultMaxEntries }: UnpackOptions = {}) {
    this.#maxBytes = maxUnpackedBytes;
    this.#maxEntries = maxEntries;
  }

  /** Passes chunks on within the limit. @throws MOTE_TOO_LARGE */
  async *bounded(chunks: AsyncIterable<Uint8Array>, location: string): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of chunks) {
      this.#bytes += chunk.byteLength;
      if (this.#bytes > this.#maxBytes) {
        throw tooLarge(location, `${this.#maxBytes} bytes`, "--max-unpacked SIZE (maxUnpackedBytes)");
      }
      yield chunk;
    }
  }

  /** @throws MOTE_TOO_LARGE */
  countEntry(location: string): void {
    this.#entries++;
    if (this.#entries > this.#maxEntries) {
      throw tooLarge(location, `${this.#maxEntries} files, folders and links`, "the setting maxEntries");
    }
  }
}

function tooLarge(location: string, limit: string, option: string): MoteError {
  return new MoteError(
    "MOTE_TOO_LARGE",
    `${location} unpacks to more than ${limit}; if you trust it, raise ${option}`,
    {
      details: { path: location, limit },
    },
  );
}
