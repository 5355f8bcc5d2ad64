import { MoteError } from "@mote/core";

/** A number, and at most eight bytes of a size. */
const maxHeadBytes = 9;

export interface Operation {
  readonly kind: number;
  readonly size: number;
}

/** A varint. */
class OperationSize {
  value = 0;
  #scale = 1;

  /** Returns whether it is complete. @throws MOTE_INVALID_ARCHIVE if it is not a safe integer */
  add(byte: number): boolean {
    this.value += (byte & 0x7f) * this.#scale;
    if (!Number.isSafeInteger(this.value) || this.#scale > 2 ** 49) throw invalidDiff("a size is not valid");
    this.#scale *= 0x80;
    return byte < 0x80;
  }
}

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
  next(): Operation | Promise<Operation | undefined> {
    if (this.#chunk.byteLength - this.#at < maxHeadBytes) return this.#nextAcrossChunks();
    const kind = this.#chunk[this.#at++] as number;
    const size = new OperationSize();
    while (!size.add(this.#chunk[this.#at++] as number));
    return { kind, size: size.value };
  }

  async #nextAcrossChunks(): Promise<Operation | undefined> {
    if (this.#at === this.#chunk.byteLength && !(await this.#fill())) return undefined;
    const kind = this.#chunk[this.#at++] as number;
    const size = new OperationSize();
    for (;;) {
      if (this.#at === this.#chunk.byteLength && !(await this.#fill())) throw truncated();
      if (size.add(this.#chunk[this.#at++] as number)) return { kind, size: size.value };
    }
  }

  /** Reads up to `size` bytes of the data of an operation, at least one. They are valid until the next read. @throws as `next` */
  data(size: number): Uint8Array | Promise<Uint8Array> {
    return this.#at < this.#chunk.byteLength
      ? this.#take(size)
      : this.#fill().then((isThere) => {
          if (!isThere) throw truncated();
          return this.#take(size);
        });
  }

  #take(size: number): Uint8Array {
    const bytes = this.#chunk.subarray(this.#at, this.#at + size);
    this.#at += bytes.byteLength;
    return bytes;
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
