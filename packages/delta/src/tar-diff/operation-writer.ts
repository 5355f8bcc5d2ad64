import { operations, varint } from "./operations.js";

/** Readers may allocate the data of an operation at once. */
const maxDataBytes = 512 * 1024;
/** The size of the chunks of the output. */
const chunkBytes = 256 * 1024;

/** Encodes operations. Moves to files and positions are added where needed; adjoining operations of one kind are joined. */
export class OperationWriter {
  /** The chunks that are full, and the one that is filled. */
  #chunks: Uint8Array[] = [];
  #chunk = new Uint8Array(chunkBytes);
  #filled = 0;
  /** The data of the operation that may still grow. */
  readonly #data = new Uint8Array(maxDataBytes);
  #kind: number = operations.data;
  #size = 0;
  #path: string | undefined;
  #position = 0;

  /** Begins a stream, whatever was encoded before. */
  begin(): void {
    this.#chunks = [];
    this.#filled = 0;
    this.#size = 0;
    this.#path = undefined;
    this.#position = 0;
  }

  /** Bytes of the output. */
  data(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; at += maxDataBytes) {
      const part = bytes.subarray(at, at + maxDataBytes);
      this.#data.set(part, this.#grow(operations.data, part.byteLength));
    }
  }

  /** Bytes of a file of OLD. */
  copy(path: string, position: number, size: number): void {
    if (size === 0) return;
    this.#moveTo(path, position);
    this.#grow(operations.copy, size);
    this.#position += size;
  }

  /** Bytes of a file of OLD, which differ from those of the output. */
  add(path: string, position: number, bytes: Uint8Array, old: Uint8Array): void {
    const data = this.#data;
    for (let at = 0; at < bytes.byteLength; at += maxDataBytes) {
      const end = Math.min(at + maxDataBytes, bytes.byteLength);
      this.#moveTo(path, position + at);
      let to = this.#grow(operations.addData, end - at);
      for (let from = at; from < end; from++) data[to++] = (bytes[from] as number) - (old[from] as number);
      this.#position += end - at;
    }
  }

  /** Returns the output so far, except for a part that grows. Its memory is the caller's. */
  take(): readonly Uint8Array[] {
    return this.#chunks.splice(0);
  }

  /** Ends the stream, and returns the rest of it. */
  end(): readonly Uint8Array[] {
    this.#flush();
    this.#nextChunk();
    return this.take();
  }

  #moveTo(path: string, position: number): void {
    if (path !== this.#path) {
      this.#flush();
      const name = Buffer.from(path, "utf8");
      this.#encode(operations.open, name.byteLength);
      this.#write(name);
      this.#path = path;
      this.#position = 0;
    }
    if (position !== this.#position) {
      this.#flush();
      this.#encode(operations.seek, position);
      this.#position = position;
    }
  }

  /** Makes the current operation longer, or begins one. Returns where its next data belongs. */
  #grow(kind: number, size: number): number {
    if (kind !== this.#kind || (kind !== operations.copy && this.#size + size > maxDataBytes)) this.#flush();
    this.#kind = kind;
    this.#size += size;
    return this.#size - size;
  }

  #flush(): void {
    if (this.#size === 0) return;
    this.#encode(this.#kind, this.#size);
    if (this.#kind !== operations.copy) this.#write(this.#data.subarray(0, this.#size));
    this.#size = 0;
  }

  #encode(kind: number, size: number): void {
    this.#writeByte(kind);
    for (const byte of varint(size)) this.#writeByte(byte);
  }

  #writeByte(byte: number): void {
    if (this.#filled === chunkBytes) this.#nextChunk();
    this.#chunk[this.#filled++] = byte;
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; ) {
      if (this.#filled === chunkBytes) this.#nextChunk();
      const part = bytes.subarray(at, at + chunkBytes - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.byteLength;
      at += part.byteLength;
    }
  }

  #nextChunk(): void {
    this.#chunks.push(this.#chunk.subarray(0, this.#filled));
    this.#chunk = new Uint8Array(chunkBytes);
    this.#filled = 0;
  }
}
