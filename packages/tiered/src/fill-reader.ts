import { hasCode, MoteError, type MoteFollower, type MoteInfo, type MoteReader, ReadOnceReader } from "@mote/core";

export interface FillReaderOptions {
  readonly start: number;
  /** The byte after the last one to read; undefined to read to the end of the mote, which is the end of the fetch. */
  readonly end: number | undefined;
  /** Settles when the mote has been fetched and verified. */
  readonly filled: Promise<void>;
  readonly closed: AbortController;
  /** Reads the stored mote from `start`. */
  readonly openStored: () => Promise<MoteReader>;
}

/** Reads a mote while it is fetched. Closing it early aborts the fetch, unless others wait for it. */
export class FillReader extends ReadOnceReader {
  readonly #follower: MoteFollower;
  readonly #options: FillReaderOptions;

  constructor(info: MoteInfo, follower: MoteFollower, options: FillReaderOptions) {
    super(info);
    this.#follower = follower;
    this.#options = options;
  }

  protected async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const { start, end = Number.POSITIVE_INFINITY, filled, openStored } = this.#options;
    let position = start;
    try {
      for await (const chunk of this.#follower) {
        const rest = chunk.subarray(0, Math.max(0, end - position));
        position += chunk.byteLength;
        if (rest.byteLength > 0) yield rest;
        if (position >= end) return;
      }
      return;
    } catch (error) {
      if (!hasCode(error, "MOTE_WRITER_GONE", "MOTE_NOT_FOUND")) throw error;
      // The error of the fetch says why its writer is gone.
      await filled;
      if (position > start) throw this.#wrongBytes(error);
    }
    await using stored = await openStored();
    yield* stored;
  }

  protected override async release(): Promise<void> {
    await this.#follower.close();
    this.#options.closed.abort();
    await this.#options.filled.catch(() => {});
  }

  /** The fetch succeeded with a second writer, because what the first one had written was probably wrong. */
  #wrongBytes(cause: unknown): MoteError {
    const { digest } = this.info;
    return new MoteError(
      "MOTE_CORRUPT",
      `bytes of ${digest} that were read from the tier may be wrong; read it again`,
      {
        cause,
        details: { digest },
      },
    );
  }
}
