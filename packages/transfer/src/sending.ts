import { Feed } from "./feed.js";

/** A destination that is fed while a blob is fetched. */
export class Sending {
  readonly feed = new Feed();
  readonly #ending: Promise<void>;

  /** `onFailure` is called when the destination fails by itself: the fetch need not go on for it. */
  constructor(send: (chunks: AsyncIterable<Uint8Array>) => Promise<void>, onFailure: (error: unknown) => void) {
    this.#ending = send(this.feed).finally(() => this.feed.leave());
    this.#ending.catch((error: unknown) => {
      if (!this.feed.hasFailed) onFailure(error);
    });
  }

  /** Resolves when the destination has taken all of it. */
  delivered(): Promise<void> {
    return this.#ending;
  }

  /** Resolves when the destination has taken all of it, or has cleaned up. */
  async ended(): Promise<void> {
    await this.#ending.catch(() => {});
  }

  /** Tells the destination that the fetch failed; resolves when it has cleaned up. */
  async fail(error: unknown): Promise<void> {
    this.feed.fail(error);
    await this.ended();
  }
}
