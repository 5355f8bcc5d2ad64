import { type BlobOptions, type Descriptor, MoteError, type MoteInfo, type MoteReader, verifyChunks } from "@mote/core";
import { readChunks } from "./chunks.js";
import type { OpenedFile } from "./opened-file.js";

/** Reads a blob from an opened file, which it closes. A read of the whole ends in MOTE_CORRUPT where it is damaged. */
export class BlobReader implements MoteReader {
  readonly info: MoteInfo;
  readonly #file: OpenedFile;
  readonly #path: string;
  readonly #expected: Descriptor;
  readonly #options: BlobOptions;
  #begun = false;
  #closing: Promise<void> | undefined;

  constructor(file: OpenedFile, path: string, descriptor: Descriptor, options: BlobOptions) {
    this.info = { digest: descriptor.digest, size: file.size, mediaType: descriptor.mediaType };
    this.#file = file;
    this.#path = path;
    this.#expected = descriptor;
    this.#options = options;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#begun || this.#closing) throw this.#closed();
    this.#begun = true;
    const { start = 0, verifyOnRead = true, signal } = this.#options;
    const chunks = readChunks(this.#file, start, this.#path, signal);
    try {
      yield* verifyOnRead && start === 0 ? verifyChunks(chunks, this.#expected, { damage: true }) : chunks;
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#closing ? this.#closed() : error;
    } finally {
      await this.close();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#file.handle.close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #closed(): MoteError {
    return new MoteError("MOTE_CLOSED", `the reader of ${this.info.digest} has been read or closed`);
  }
}
