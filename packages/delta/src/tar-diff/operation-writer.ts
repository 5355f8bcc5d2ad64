import { operations, varint } from "./operations.js";

/** Readers may allocate the data of an operation at once. */
const maxDataBytes = 512 * 1024;

/** Encodes operations. Moves to files and positions are added where needed; adjoining operations of one kind are joined. */
export class OperationWriter {
  readonly #encoded: Uint8Array[] = [];
  #path: string | undefined;
  #position = 0;
  #pending: { kind: number; readonly chunks: Uint8Array[]; size: number } = {
    kind: operations.data,
    chunks: [],
    size: 0,
  };

  /** Bytes of the output. */
  data(bytes: Uint8Array): void {
    if (bytes.byteLength > 0) this.#append(operations.data, bytes.byteLength, bytes);
  }

  /** Bytes of a file of OLD. */
  copy(path: string, position: number, size: number): void {
    if (size === 0) return;
    this.#moveTo(path, position);
    this.#append(operations.copy, size, undefined);
    this.#position += size;
  }

  /** Bytes of a file of OLD, to which differences are added. */
  add(path: string, position: number, differences: Uint8Array): void {
    if (differences.byteLength === 0) return;
    this.#moveTo(path, position);
    this.#append(operations.addData, differences.byteLength, differences);
    this.#position += differences.byteLength;
  }

  /** Returns what was encoded since the last call. */
  take(): readonly Uint8Array[] {
    this.#flush();
    return this.#encoded.splice(0);
  }

  #moveTo(path: string, position: number): void {
    if (path !== this.#path) {
      this.#flush();
      const name = Buffer.from(path, "utf8");
      this.#encode(operations.open, name.byteLength, [name]);
      this.#path = path;
      this.#position = 0;
    }
    if (position !== this.#position) {
      this.#flush();
      this.#encode(operations.seek, position, []);
      this.#position = position;
    }
  }

  #append(kind: number, size: number, bytes: Uint8Array | undefined): void {
    const pending = this.#pending;
    if (kind !== pending.kind || (bytes !== undefined && pending.size + size > maxDataBytes)) this.#flush();
    this.#pending.kind = kind;
    this.#pending.size += size;
    if (bytes !== undefined) this.#pending.chunks.push(bytes);
  }

  #flush(): void {
    const { kind, chunks, size } = this.#pending;
    if (size === 0) return;
    this.#pending = { kind, chunks: [], size: 0 };
    this.#encode(kind, size, chunks);
  }

  #encode(kind: number, size: number, chunks: readonly Uint8Array[]): void {
    this.#encoded.push(Uint8Array.of(kind, ...varint(size)), ...chunks);
  }
}
