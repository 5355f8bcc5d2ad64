import type { OldFile } from "./old-file.js";
import { invalidDiff } from "./operation-reader.js";

/** Small reads in many places must not read much more than they use. */
const minReadBytes = 4 * 1024;
const maxReadBytes = 256 * 1024;

/** Memory for what is read of OLD, and how often it was read. */
export class ReadAhead {
  readonly buffer: Uint8Array = new Uint8Array(maxReadBytes);
  reads = 0;
}

/** A position in a file of OLD, with the bytes read ahead. */
export class OldPosition {
  readonly #file: OldFile;
  readonly #ahead: ReadAhead;
  #position = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #bytesStart = 0;
  #readBytes = minReadBytes;

  /** @param ahead used by one position at a time */
  constructor(file: OldFile, ahead: ReadAhead) {
    this.#file = file;
    this.#ahead = ahead;
  }

  /** @throws MOTE_INVALID_ARCHIVE if it is beyond the end of the file */
  seek(position: number): void {
    if (position > this.#file.size) throw this.#beyondEnd();
    this.#position = position;
  }

  /** Reads up to `size` bytes, at least one, and advances. They are valid until the next read. @throws MOTE_INVALID_ARCHIVE at the end of the file */
  read(size: number): Uint8Array | Promise<Uint8Array> {
    if (size > this.#file.size - this.#position) throw this.#beyondEnd();
    const from = this.#position - this.#bytesStart;
    return from < 0 || from >= this.#bytes.byteLength ? this.#readAhead(size, from) : this.#take(from, size);
  }

  async #readAhead(size: number, from: number): Promise<Uint8Array> {
    const isSequential = from === this.#bytes.byteLength;
    this.#readBytes = isSequential ? Math.min(2 * this.#readBytes, maxReadBytes) : minReadBytes;
    const length = Math.max(this.#readBytes, Math.min(size, maxReadBytes));
    this.#ahead.reads++;
    this.#bytes = await this.#file.read(this.#position, length, this.#ahead.buffer);
    this.#bytesStart = this.#position;
    return this.#take(0, size);
  }

  #take(from: number, size: number): Uint8Array {
    const bytes = this.#bytes.subarray(from, from + size);
    this.#position += bytes.byteLength;
    return bytes;
  }

  #beyondEnd() {
    return invalidDiff(`it reads beyond the end of ${this.#file.path}`, { path: this.#file.path });
  }
}
