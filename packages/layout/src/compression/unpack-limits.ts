import { MoteError } from "@mote/core";

/** Bounds for what is unpacked. A small archive can claim to be a very large one. */
export interface UnpackOptions {
  /** Bytes after decompression, of all archives together. Default: 100 GiB. */
  readonly maxUnpackedBytes?: number | undefined;
  /** Files, folders and links of all archives together. Default: 2,000,000. */
  readonly maxEntries?: number | undefined;
}

const defaultMaxUnpackedBytes = 100 * 1024 ** 3;
const defaultMaxEntries = 2_000_000;

/** Counts what one destination or source unpacks. */
export class UnpackLimits {
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  #bytes = 0;
  #entries = 0;

  constructor({ maxUnpackedBytes = defaultMaxUnpackedBytes, maxEntries = defaultMaxEntries }: UnpackOptions = {}) {
    this.#maxBytes = maxUnpackedBytes;
    this.#maxEntries = maxEntries;
  }

  /** Passes chunks on within the bound. @throws MOTE_TOO_LARGE */
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
