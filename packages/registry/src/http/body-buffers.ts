import { bodyBufferBytes } from "./http-transport.js";

/** For a long body: each chunk costs the same work, however long it is. */
const longBufferBytes = 2 * bodyBufferBytes;
const longBodyBytes = 32 * 1024 * 1024;
/** With more connections, all buffers are short, so that memory stays bounded. */
const fewConnections = 6;
const mostSpareBytes = 4 * 1024 * 1024;

/** Buffers that connections read into, for use again. */
export class BodyBuffers {
  /** The number of open connections. */
  connections = 0;
  readonly #spare: Buffer[] = [];
  #spareBytes = 0;

  /** @param bodyBytes the length of the body */
  take(bodyBytes: number): Buffer {
    const isLong = bodyBytes >= longBodyBytes && this.connections <= fewConnections;
    const length = isLong ? longBufferBytes : bodyBufferBytes;
    const at = this.#spare.findIndex(({ byteLength }) => byteLength === length);
    const [found] = at < 0 ? [] : this.#spare.splice(at, 1);
    if (found === undefined) return Buffer.allocUnsafeSlow(length);
    this.#spareBytes -= length;
    return found;
  }

  putBack(buffer: Buffer): void {
    if (this.#spareBytes + buffer.byteLength > mostSpareBytes) return;
    this.#spare.push(buffer);
    this.#spareBytes += buffer.byteLength;
  }
}
