import { operations, varint } from "./operations.js";

/** Readers may allocate the data of an operation at once. */
const maxDataBytes = 512 * 1024;

/** Encodes operations. Moves to files and positions are added where needed; adjoining operations of one kind are joined. */
export class OperationWriter {
  readonly #output = new ByteBuffer(1024 * 1024);
  /** The data of the operation that may still grow. */
  readonly #data = new ByteBuffer(maxDataBytes);
  #kind: number = operations.data;
  #size = 0;
  #path: string | undefined;
  #position = 0;

  /** Bytes of the output. */
  data(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; at += maxDataBytes) {
      const part = bytes.subarray(at, at + maxDataBytes);
      this.#begin(operations.data, part.byteLength);
      this.#data.append(part);
    }
  }

  /** Bytes of a file of OLD. */
  copy(path: string, position: number, size: number): void {
    if (size === 0) return;
    this.#moveTo(path, position);
    this.#begin(operations.copy, size);
    this.#position += size;
  }

  /** Bytes of a file of OLD, which differ from those of the output. */
  add(path: string, position: number, bytes: Uint8Array, old: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; at += maxDataBytes) {
      const size = Math.min(maxDataBytes, bytes.byteLength - at);
      this.#moveTo(path, position + at);
      this.#begin(operations.addData, size);
      this.#data.appendDifferences(bytes.subarray(at, at + size), old.subarray(at, at + size));
      this.#position += size;
    }
  }

  /** Returns what was encoded since the last call. */
  take(): Uint8Array {
    this.#flush();
    return this.#output.take();
  }

  #moveTo(path: string, position: number): void {
    if (path !== this.#path) {
      this.#flush();
      const name = Buffer.from(path, "utf8");
      this.#encode(operations.open, name.byteLength);
      this.#output.append(name);
      this.#path = path;
      this.#position = 0;
    }
    if (position !== this.#position) {
      this.#flush();
      this.#encode(operations.seek, position);
      this.#position = position;
    }
  }

  #begin(kind: number, size: number): void {
    if (kind !== this.#kind || (kind !== operations.copy && this.#size + size > maxDataBytes)) this.#flush();
    this.#kind = kind;
    this.#size += size;
  }

  #flush(): void {
    if (this.#size === 0) return;
    this.#encode(this.#kind, this.#size);
    this.#output.append(this.#data.bytes);
    this.#data.clear();
    this.#size = 0;
  }

  #encode(kind: number, size: number): void {
    this.#output.appendByte(kind);
    for (const byte of varint(size)) this.#output.appendByte(byte);
  }
}

/** Bytes that grow. An array for each operation would take much more memory. */
class ByteBuffer {
  #bytes: Uint8Array;
  #size = 0;

  constructor(bytes: number) {
    this.#bytes = new Uint8Array(bytes);
  }

  /** Valid until the next change. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  append(bytes: Uint8Array): void {
    this.#grow(bytes.byteLength);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.byteLength;
  }

  appendByte(byte: number): void {
    this.#grow(1);
    this.#bytes[this.#size++] = byte;
  }

  appendDifferences(bytes: Uint8Array, old: Uint8Array): void {
    this.#grow(bytes.byteLength);
    const to = this.#bytes;
    const start = this.#size;
    for (let at = 0; at < bytes.byteLength; at++) to[start + at] = (bytes[at] as number) - (old[at] as number);
    this.#size += bytes.byteLength;
  }

  clear(): void {
    this.#size = 0;
  }

  take(): Uint8Array {
    const taken = this.bytes.slice();
    this.#size = 0;
    return taken;
  }

  #grow(bytes: number): void {
    if (this.#size + bytes <= this.#bytes.byteLength) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.byteLength, this.#size + bytes));
    grown.set(this.bytes);
    this.#bytes = grown;
  }
}
