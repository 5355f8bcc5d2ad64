import { BoundedMap, type Cancellable, MoteError, type MoteInfo, type MoteReaderAt, untilAborted } from "@mote/core";
import { type BlobSource, notFound } from "./blob-source.js";

const blockBytes = 1024 * 1024;
const maxBlocks = 8;

/** Reads a blob at any position, in blocks. Sequential reads request the next block ahead. */
export class BlobReaderAt implements MoteReaderAt {
  readonly #source: BlobSource;
  readonly #info: MoteInfo;
  readonly #etag: string | undefined;
  readonly #blocks = new BoundedMap<number, Promise<Uint8Array>>(maxBlocks);
  readonly #closing = new AbortController();
  #last = -1;

  private constructor(source: BlobSource, info: MoteInfo, etag: string | undefined) {
    this.#source = source;
    this.#info = info;
    this.#etag = etag;
  }

  /** Opens a blob and reads its first block. @throws MOTE_NOT_FOUND */
  static async open(source: BlobSource, digest: MoteInfo["digest"], { signal }: Cancellable = {}) {
    const opened = await source.open(digest, { start: 0, end: blockBytes }, { signal });
    if (opened === undefined) throw notFound(digest, source.bucket.client.address.bucket);
    const reader = new BlobReaderAt(source, opened.info, opened.etag);
    const { response, modifiedMs } = opened;
    if (response?.status !== 206) response?.discard();
    else {
      // If the connection is interrupted, the block is requested again.
      const bytes = await response.bytes(blockBytes).catch(() => undefined);
      signal?.throwIfAborted();
      if (bytes?.byteLength === reader.#lengthOf(0)) reader.#blocks.set(0, Promise.resolve(bytes));
    }
    return { reader, modifiedMs };
  }

  get size(): number {
    return this.#info.size;
  }

  async readAt(into: Uint8Array, position: number, { signal }: Cancellable = {}): Promise<number> {
    if (!Number.isSafeInteger(position) || position < 0) throw new TypeError(`${position} is not a position in bytes`);
    signal?.throwIfAborted();
    this.#assertOpen();
    const length = Math.max(0, Math.min(into.byteLength, this.size - position));
    for (let read = 0; read < length; ) {
      const at = position + read;
      const index = Math.floor(at / blockBytes);
      const block = await untilAborted(this.#block(index), signal);
      this.#assertOpen();
      const bytes = block.subarray(at - index * blockBytes, at - index * blockBytes + length - read);
      into.set(bytes, read);
      read += bytes.byteLength;
    }
    return length;
  }

  async close(): Promise<void> {
    this.#closing.abort(this.#closedError());
    this.#blocks.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #block(index: number): Promise<Uint8Array> {
    const block = this.#requested(index);
    const isSequential = index === this.#last + 1 || index === this.#last;
    this.#last = index;
    if (isSequential && index > 0 && this.#lengthOf(index + 1) > 0) this.#requested(index + 1).catch(() => {});
    return block;
  }

  #requested(index: number): Promise<Uint8Array> {
    const known = this.#blocks.get(index);
    if (known !== undefined) return known;
    const block = this.#read(index);
    this.#blocks.set(index, block);
    block.catch(() => {
      if (this.#blocks.get(index) === block) this.#blocks.delete(index);
    });
    return block;
  }

  /** Reads a block, again if the connection is interrupted. */
  async #read(index: number): Promise<Uint8Array> {
    const { digest } = this.#info;
    const { client } = this.#source.bucket;
    const start = index * blockBytes;
    const range = { start, end: start + this.#lengthOf(index) };
    const { signal } = this.#closing;
    const open = async () => {
      const opened = await this.#source.open(digest, range, { etag: this.#etag, signal });
      if (opened === undefined) throw notFound(digest, client.address.bucket);
      const { response } = opened;
      if (response?.status === 206) return response;
      response?.discard();
      throw new MoteError("MOTE_IO", `cannot read a part of ${digest}: the service does not support ranges`);
    };
    const what = `read ${digest}`;
    return await client.openAndRead(open, (response) => response.bytes(blockBytes), { what, signal });
  }

  /** Returns the bytes of a block; 0 beyond the end. */
  #lengthOf(index: number): number {
    return Math.max(0, Math.min(blockBytes, this.size - index * blockBytes));
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw this.#closedError();
  }

  #closedError(): MoteError {
    return new MoteError("MOTE_CLOSED", `the reader of ${this.#info.digest} is closed; open a new one`);
  }
}
