import { bodyBufferBytes } from "./http-transport.js";

/** Bodies from this length on are read into longer buffers: each chunk costs the same work, however long it is. */
const longBodyBytes = 32 * 1024 * 1024;
/** With more connections, buffers are shorter, so that memory stays bounded. */
const veryFewConnections = 2;
const fewConnections = 6;
const mostSpareBytes = 4 * 1024 * 1024;

/** Buffers that connections read into, for use again. */
export class BodyBuffers {
  /** The number of connections in use. */
  connections = 0;
  readonly #spare: Buffer[] = [];
  #spareBytes = 0;

  /** @param bodyBytes the length of the body */
  take(bodyBytes: number): Buffer {
    const length = bodyBytes < longBodyBytes ? bodyBufferBytes : this.#longBytes();
    const at = this.#spare.findIndex(({ byteLength }) => byteLength === length);
    const [found] = at < 0 ? [] : this.#spare.splice(at, 1);
    if (found === undefined) return Buffer.allocUnsafeSlow(length);
    this.#spareBytes -= length;
    return found;
  }

  #longBytes(): number {
    if (this.connections <= veryFewConnections) return 4 * bodyBufferBytes;
    return this.connections <= fewConnections ? 2 * bodyBufferBytes : bodyBufferBytes;
  }

  putBack(buffer: Buffer): void {
    this.#spare.push(buffer);
    this.#spareBytes += buffer.byteLength;
    // The oldest may have a length that is no longer used.
    while (this.#spareBytes > mostSpareBytes) this.#spareBytes -= this.#spare.shift()?.byteLength ?? 0;
  }
}
