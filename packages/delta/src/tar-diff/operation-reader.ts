import { MoteError } from "@mote/core";

/** Reads operations from a stream of bytes that arrives in chunks. */
export class OperationReader implements AsyncDisposable {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #maxBytes: number;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  #bytes = 0;

  /** @param maxBytes limit on the bytes of all operations */
  constructor(chunks: AsyncIterable<Uint8Array>, maxBytes: number) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#maxBytes = maxBytes;
  }

  /** Reads the number and size of an operation. Returns undefined at the end. @throws MOTE_INVALID_ARCHIVE · MOTE_TOO_LARGE */
  async next(): Promise<{ readonly kind: number; readonly size: number } | undefined> {
    if (this.#at === this.#chunk.byteLength && !(await this.#fill())) return undefined;
    const kind = this.#chunk[this.#at++] ?? 0;
    let size = 0;
    for (let scale = 1; ; scale *= 0x80) {
      if (this.#at === this.#chunk.byteLength && !(await this.#fill())) throw truncated();
      const byte = this.#chunk[this.#at++] ?? 0;
      size += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(size) || scale > 2 ** 49) throw invalidDiff("a size is not valid");
      if (byte < 0x80) return { kind, size };
    }
  }

  /** Yields the data of an operation. */
  async *data(size: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = size; left > 0; ) {
      if (this.#at === this.#chunk.byteLength && !(await this.#fill())) throw truncated();
      const bytes = this.#chunk.subarray(this.#at, this.#at + left);
      this.#at += bytes.byteLength;
      left -= bytes.byteLength;
      yield bytes;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return?.();
  }

  async #fill(): Promise<boolean> {
    do {
      const { done, value } = await this.#chunks.next();
      if (done) return false;
      this.#bytes += value.byteLength;
      if (this.#bytes > this.#maxBytes) {
        throw new MoteError("MOTE_TOO_LARGE", `the operations of a delta have more than ${this.#maxBytes} bytes`);
      }
      this.#chunk = value;
      this.#at = 0;
    } while (this.#chunk.byteLength === 0);
    return true;
  }
}

export function invalidDiff(reason: string, details: object = {}): MoteError {
  return new MoteError("MOTE_INVALID_ARCHIVE", `a delta is not valid: ${reason}`, { details });
}

function truncated(): MoteError {
  return invalidDiff("it is truncated");
}
