import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { type BlobOptions, type Descriptor, MoteError, type MoteInfo, type MoteReader, verifyChunks } from "@mote/core";
import { readFailed } from "./file-error.js";

/** Large reads: at 64 KiB, Node spends more on the calls than on the bytes. */
const chunkBytes = 1024 * 1024;

/** @throws MOTE_NOT_FOUND · MOTE_IO · MOTE_CORRUPT while reading, unless `verifyOnRead` is false or `start` is not 0 */
export async function openBlobReader(path: string, descriptor: Descriptor, options: BlobOptions): Promise<MoteReader> {
  options.signal?.throwIfAborted();
  // Not blocking: a named pipe that stands where a blob should be must not hang the reader.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw readFailed(error, path);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new MoteError("MOTE_IO", `${path} is no file`, { details: { path } });
    return new BlobReader(handle, path, descriptor, stats.size, options);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

class BlobReader implements MoteReader {
  readonly info: MoteInfo;
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #expected: Descriptor;
  readonly #options: BlobOptions;
  #begun = false;
  #closing: Promise<void> | undefined;

  constructor(handle: FileHandle, path: string, descriptor: Descriptor, size: number, options: BlobOptions) {
    this.info = { digest: descriptor.digest, size, mediaType: descriptor.mediaType };
    this.#handle = handle;
    this.#path = path;
    this.#expected = descriptor;
    this.#options = options;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#begun || this.#closing) throw this.#closed();
    this.#begun = true;
    const { start = 0, verifyOnRead = true } = this.#options;
    try {
      if (verifyOnRead && start === 0) yield* verifyChunks(this.#chunks(0), this.#expected, { damage: true });
      else yield* this.#chunks(start);
    } finally {
      await this.close();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#handle.close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The next chunk is read while the consumer hashes the last one. */
  async *#chunks(start: number): AsyncGenerator<Uint8Array, void, undefined> {
    let position = start;
    let next = this.#read(position);
    for (;;) {
      const chunk = await next;
      if (chunk.byteLength === 0) return;
      position += chunk.byteLength;
      next = this.#read(position);
      next.catch(() => {});
      yield chunk;
    }
  }

  async #read(position: number): Promise<Uint8Array> {
    const { signal } = this.#options;
    signal?.throwIfAborted();
    if (this.#closing) throw this.#closed();
    const wanted = Math.min(chunkBytes, this.info.size - position);
    if (wanted <= 0) return new Uint8Array(0);
    const chunk = new Uint8Array(Buffer.allocUnsafeSlow(wanted).buffer);
    try {
      const { bytesRead } = await this.#handle.read(chunk, 0, wanted, position);
      return chunk.subarray(0, bytesRead);
    } catch (error) {
      throw this.#closing ? this.#closed() : readFailed(error, this.#path);
    }
  }

  #closed(): MoteError {
    return new MoteError("MOTE_CLOSED", `the reader of ${this.info.digest} has been read or closed`);
  }
}
