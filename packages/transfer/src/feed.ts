/** Bytes that wait for a slow destination, at most, before the source has to wait too. */
const maxQueuedBytes = 1024 * 1024;

/**
 * Chunks on their way to a destination while they arrive. Its stream ends cleanly only after `end`, which is called when the
 * bytes are verified. Who stops reading is not waited for.
 */
export class Feed implements AsyncIterable<Uint8Array> {
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #state: "open" | "ended" | "left" | { readonly failure: unknown } = "open";
  #wakeReader = () => {};
  #wakeWriter = () => {};

  /** Resolves when there is room for more. */
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
    this.#become("ended");
  }

  /** The reader gets `failure` in place of what it has not read. */
  fail(failure: unknown): void {
    this.#become({ failure });
  }

  get hasFailed(): boolean {
    return typeof this.#state === "object";
  }

  /** Nobody reads on. */
  cancel(): void {
    this.#become("left");
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

  #become(state: "ended" | "left" | { readonly failure: unknown }): void {
    if (this.#state !== "open") return;
    this.#state = state;
    this.#wakeReader();
    this.#wakeWriter();
  }
}
