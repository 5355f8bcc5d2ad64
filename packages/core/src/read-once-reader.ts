import { MoteError } from "./error.js";
import type { MoteInfo, MoteReader } from "./mote.js";

/**
 * Base of readers. It lets the bytes be read once, closes when the reading ends, fails or is given up, and makes a second close
 * harmless. Reading after `close` rejects with MOTE_CLOSED.
 */
export abstract class ReadOnceReader implements MoteReader {
  readonly info: MoteInfo;
  #isRead = false;
  #closing: Promise<void> | undefined;

  constructor(info: MoteInfo) {
    this.info = info;
  }

  /** Begins the one read. */
  protected abstract chunks(): AsyncIterator<Uint8Array, void, undefined>;

  /** Releases what the reader holds; called once. A reader without it holds nothing, and checks `assertOpen` itself. */
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
      `the reader of ${this.info.digest} was read or closed before; open another one`,
    );
  }

  async *#chunksThenClose(): AsyncGenerator<Uint8Array, void, undefined> {
    const chunks = this.chunks();
    try {
      for await (const chunk of { [Symbol.asyncIterator]: () => chunks }) {
        this.assertOpen();
        yield chunk;
      }
      // Closed by somebody else meanwhile: an end here would look like a clean one.
      this.assertOpen();
    } catch (error) {
      throw this.isClosed ? this.closedError() : error;
    } finally {
      await this.close();
    }
  }
}
