import { MoteError } from "./error.js";
import type { MoteInfo, MoteReader } from "./mote.js";

/** Base class of readers. It allows one read, and closes when the read ends. Reading again or after `close` throws MOTE_CLOSED. */
export abstract class ReadOnceReader implements MoteReader {
  readonly info: MoteInfo;
  #isRead = false;
  #closing: Promise<void> | undefined;

  constructor(info: MoteInfo) {
    this.info = info;
  }

  /** Starts the read. */
  protected abstract chunks(): AsyncIterator<Uint8Array, void, undefined>;

  /** Releases resources; called once. A reader without `release` calls `assertOpen` in `chunks`. */
  protected release?(): Promise<void> | void;

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, void, undefined> {
    if (this.#isRead) throw this.closedError();
    this.assertOpen();
    this.#isRead = true;
    return this.release === undefined ? this.chunks() : this.#chunksThenClose();
  }

  close(): Promise<void> {
    this.#closing ??= Promise.resolve(this.release?.());
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  protected get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** @throws MOTE_CLOSED */
  protected assertOpen(): void {
    if (this.isClosed) throw this.closedError();
  }

  protected closedError(): MoteError {
    return new MoteError(
      "MOTE_CLOSED",
      `the reader of ${this.info.digest} is closed or was already read; open a new one`,
    );
  }

  async *#chunksThenClose(): AsyncGenerator<Uint8Array, void, undefined> {
    const chunks = this.chunks();
    try {
      for await (const chunk of { [Symbol.asyncIterator]: () => chunks }) {
        this.assertOpen();
        yield chunk;
      }
      // If the reader was closed meanwhile, ending here would look like the end of the content.
      this.assertOpen();
    } catch (error) {
      throw this.isClosed ? this.closedError() : error;
    } finally {
      await this.close();
    }
  }
}
