import { hasCode, type MoteInfo, ReadOnceReader, resumeChunks, verifyChunks } from "@mote/core";
import { type BlobRange, type BlobSource, notFound, type OpenedBlob } from "./blob-source.js";

/** Interrupted responses are resumed at most this often. */
const maxResumes = 50;

export interface BlobReaderOptions extends Required<BlobRange> {
  readonly end: number;
  /** Whether the bytes are compared with the digest, if they are the complete blob. */
  readonly verify: boolean;
  /** Called if the bytes do not match the digest, before the error is thrown. */
  readonly onDamage: () => Promise<void>;
  readonly signal: AbortSignal | undefined;
}

/** Reads a blob as it arrives, resumes it at the byte where a connection is interrupted, and verifies it. */
export class BlobReader extends ReadOnceReader {
  readonly #source: BlobSource;
  readonly #opened: OpenedBlob;
  readonly #options: BlobReaderOptions;
  readonly #closing = new AbortController();
  readonly #signal: AbortSignal;
  #current: OpenedBlob;

  constructor(source: BlobSource, opened: OpenedBlob, options: BlobReaderOptions) {
    super(opened.info);
    this.#source = source;
    this.#opened = opened;
    this.#current = opened;
    this.#options = options;
    const { signal } = options;
    this.#signal = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }

  protected chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const { start, end, verify } = this.#options;
    const isComplete = start === 0 && end >= this.info.size;
    return verify && isComplete ? this.#verified(this.info) : this.#range();
  }

  protected override release(): void {
    this.#closing.abort(this.closedError());
    this.#current.response?.discard();
  }

  async *#verified(info: MoteInfo): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* verifyChunks(this.#range(), info, { damage: true });
    } catch (error) {
      if (hasCode(error, "MOTE_CORRUPT")) await this.#options.onDamage();
      throw error;
    }
  }

  async *#range(): AsyncGenerator<Uint8Array, void, undefined> {
    const { start } = this.#options;
    const end = Math.min(this.#options.end, this.info.size);
    let resumes = 0;
    let fruitless = 0;
    yield* resumeChunks(this.#bytesOf(this.#opened, start, end), start, async ({ offset, start: from, failure }) => {
      if (offset >= end && failure === undefined) return undefined;
      this.#options.signal?.throwIfAborted();
      this.assertOpen();
      const { client } = this.#source.bucket;
      const cause = failure?.error ?? Object.assign(new Error("it ended early"), { code: "ECONNRESET" });
      const error = client.bodyError(cause, `read ${this.info.digest}`);
      fruitless = offset > from ? 1 : fruitless + 1;
      // An error that is not the connection's is not helped by another one.
      if (error === cause || ++resumes > maxResumes || !(await client.backOff(fruitless, this.#signal))) throw error;
      const again = await this.#reopen(offset, end);
      this.#current = again;
      return this.#bytesOf(again, offset, end);
    });
  }

  async #reopen(start: number, end: number): Promise<OpenedBlob> {
    const { digest } = this.info;
    const opened = await this.#source.open(digest, { start, end }, { etag: this.#opened.etag, signal: this.#signal });
    if (opened === undefined) throw notFound(digest, this.#source.bucket.client.address.bucket);
    return opened;
  }

  async *#bytesOf(opened: OpenedBlob, start: number, end: number): AsyncGenerator<Uint8Array, void, undefined> {
    let at = opened.start;
    for await (const chunk of opened.response?.body ?? []) {
      this.#options.signal?.throwIfAborted();
      const bytes = chunk.subarray(Math.max(0, start - at), Math.max(0, end - at));
      at += chunk.byteLength;
      if (bytes.byteLength > 0) yield bytes;
      if (at >= end && opened.start !== start) return;
    }
  }
}
