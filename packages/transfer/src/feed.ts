/** The maximum number of bytes that are queued for a slow destination. */
const maxQueuedBytes = 1024 * 1024;

/**
 * A bounded queue of chunks for a destination. Its stream ends cleanly only after `end`, which is called when the bytes are verified. After
 * the reader stops, chunks are dropped.
 */
export class Feed implements AsyncIterable<Uint8Array> {
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #state: "open" | "ended" | "cancelled" | { readonly failure: unknown } = "open";
  #wakeReader = () => {};
  #wakeWriter = () => {};

  /** Queues a chunk. Resolves when the queue has space. */
  async push(chunk: Uint8Array): Promise<void> {
    if (this.#state !== "open") return;
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.byteLength;
    this.#wakeReader();
    if (this.#queuedBytes < maxQueuedBytes) return;
    await new Promise<void>((resolve) => {
      this.#wakeWriter = resolve;
    });
  }

  end(): void {
    this.#setState("ended");
  }

  /** Makes the reader throw `failure` instead of reading the rest. */
  fail(failure: unknown): void {
    this.#setState({ failure });
  }

  get hasFailed(): boolean {
    return typeof this.#state === "object";
  }

  /** Drops further chunks, because the reader has stopped. */
  cancel(): void {
    this.#setState("cancelled");
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        if (typeof this.#state === "object") throw this.#state.failure;
        const chunk = this.#queue.shift();
        if (chunk !== undefined) {
          this.#queuedBytes -= chunk.byteLength;
          this.#wakeWriter();
          yield chunk;
        } else if (this.#state !== "open") {
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wakeReader = resolve;
          });
        }
      }
    } finally {
      this.cancel();
    }
  }

  #setState(state: "ended" | "cancelled" | { readonly failure: unknown }): void {
    if (this.#state !== "open") return;
    this.#state = state;
    this.#wakeReader();
    this.#wakeWriter();
  }
}
