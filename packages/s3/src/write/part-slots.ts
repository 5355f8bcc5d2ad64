/** Limits how many bytes of parts are sent at once, because they occupy memory. */
export class PartSlots {
  #freeBytes: number;
  #waiting: (() => void)[] = [];

  constructor(bytes: number) {
    this.#freeBytes = bytes;
  }

  /** Runs `work` when its bytes fit. Resolves when it has started, with a promise of its end in an object. */
  async start(bytes: number, work: () => Promise<void>): Promise<{ readonly ended: Promise<void> }> {
    while (this.#freeBytes < bytes) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#freeBytes -= bytes;
    const ended = work().finally(() => {
      this.#freeBytes += bytes;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const resume of waiting) resume();
    });
    ended.catch(() => {});
    return { ended };
  }
}
