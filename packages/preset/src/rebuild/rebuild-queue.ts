import type { Encoder, Encoders } from "@mote/delta";

/** Rebuilds one layer at a time, because an encoder keeps a core busy, with encoders that are started when they are needed. */
export class RebuildQueue implements AsyncDisposable {
  #encoders: Encoders | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** The encoders, the likeliest first. */
  async encoders(): Promise<readonly Encoder[]> {
    const { builtInEncoders } = await import("@mote/delta");
    this.#encoders ??= builtInEncoders();
    return this.#encoders.list;
  }

  /** Calls `work` when all earlier calls have ended. */
  async run<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    const previous = this.#last;
    const working = (async () => {
      await previous.catch(() => {});
      signal.throwIfAborted();
      return work();
    })();
    this.#last = working;
    return working;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {});
    await this.#encoders?.[Symbol.asyncDispose]();
  }
}
