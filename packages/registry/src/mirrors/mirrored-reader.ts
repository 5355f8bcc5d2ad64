import { createDigester, digestAlgorithm, MoteError, type MoteInfo, type MoteReader } from "@mote/core";

/** A reader at one place, and what to do when that fails. */
export interface OpenedAt {
  readonly reader: MoteReader;
  /** @throws the failure where there is no other place */
  failed(error: unknown): void;
}

export interface MirroredReadOptions {
  readonly start: number;
  readonly verify: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Opens the next place from that byte on. */
  openAt(position: number): Promise<OpenedAt>;
  /** Called when the bytes turn out to be wrong. */
  isWrong(): void;
}

/** A blob from one place after the other. */
export class MirroredReader implements MoteReader {
  readonly info: MoteInfo;
  readonly #wish: MirroredReadOptions;
  #open: OpenedAt;
  #state: "unread" | "reading" | "closed" = "unread";

  constructor(wish: MirroredReadOptions, first: OpenedAt) {
    this.info = first.reader.info;
    this.#wish = wish;
    this.#open = first;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    if (this.#state !== "unread") throw this.#closed();
    this.#state = "reading";
    return this.#chunks();
  }

  async close(): Promise<void> {
    this.#state = "closed";
    await this.#open.reader.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const { start, verify } = this.#wish;
    const { digest } = this.info;
    const digester = verify && start === 0 ? createDigester(digestAlgorithm(digest)) : undefined;
    let at = start;
    for (let ended = false; !ended; ) {
      const { reader, failed } = this.#open;
      try {
        for await (const chunk of reader) {
          at += chunk.byteLength;
          digester?.update(chunk);
          yield chunk;
        }
        ended = true;
      } catch (error) {
        this.#wish.signal?.throwIfAborted();
        if (this.#state === "closed") throw this.#closed();
        failed(error);
        await reader.close();
        this.#open = await this.#wish.openAt(at);
      }
    }
    const actual = digester?.digest() ?? digest;
    if (actual === digest) return;
    this.#wish.isWrong();
    throw new MoteError("MOTE_DIGEST_MISMATCH", `${digest} was asked for, and what came hashes to ${actual}`, {
      details: { digest, actual },
    });
  }

  #closed(): MoteError {
    return new MoteError("MOTE_CLOSED", `the reader of ${this.info.digest} is closed, or has been read`);
  }
}
