import { createDigester, digestAlgorithm, MoteError, type MoteReader, ReadOnceReader, resumeChunks } from "@mote/core";

/** A reader of one endpoint, and its error handler. */
export interface EndpointReader {
  readonly reader: MoteReader;
  /** @throws the error if there is no other endpoint */
  failed(error: unknown): void;
}

export interface MirroredReadOptions {
  readonly start: number;
  readonly verify: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Opens the next endpoint at that byte. */
  openAt(position: number): Promise<EndpointReader>;
  /** Called when the bytes are wrong. */
  onCorruption(): void;
}

/** Reads a blob from one endpoint, and continues at the next one after an error. */
export class MirroredReader extends ReadOnceReader {
  readonly #options: MirroredReadOptions;
  #current: EndpointReader;

  constructor(options: MirroredReadOptions, first: EndpointReader) {
    super(first.reader.info);
    this.#options = options;
    this.#current = first;
  }

  protected override release(): Promise<void> {
    return this.#current.reader.close();
  }

  protected async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const { start, verify, signal, openAt, onCorruption } = this.#options;
    const { digest } = this.info;
    const digester = verify && start === 0 ? createDigester(digestAlgorithm(digest)) : undefined;
    const chunks = resumeChunks(this.#current.reader, start, async ({ offset, failure }) => {
      if (failure === undefined) return undefined;
      signal?.throwIfAborted();
      this.assertOpen();
      const { reader, failed } = this.#current;
      failed(failure.error);
      await reader.close();
      this.#current = await openAt(offset);
      return this.#current.reader;
    });
    for await (const chunk of chunks) {
      digester?.update(chunk);
      yield chunk;
    }
    const actual = digester?.digest() ?? digest;
    if (actual === digest) return;
    onCorruption();
    throw new MoteError("MOTE_DIGEST_MISMATCH", `expected ${digest}, but the bytes hash to ${actual}`, {
      details: { digest, actual },
    });
  }
}
