import { type Cancellable, type Digest, isNotFound, MoteError, type MoteSource, type ReadOptions } from "@mote/core";

type BlobSource = Pick<MoteSource, "find" | "moteReader">;

/** Finds and reads a blob in the first of several repositories that has it and can be reached. */
export class FirstWithBlob implements BlobSource {
  readonly #sources: readonly BlobSource[];

  /** `sources`: in order; the error of the last one counts. */
  constructor(sources: readonly BlobSource[]) {
    this.#sources = sources;
  }

  find(digest: Digest, options?: Cancellable) {
    return this.#first(async (source) => {
      const found = await source.find(digest, options);
      if (found !== undefined) return found;
      throw new MoteError("MOTE_NOT_FOUND", `${digest} does not exist`, { details: { digest } });
    }, options).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  }

  moteReader(digest: Digest, options?: ReadOptions) {
    return this.#first((source) => source.moteReader(digest, options), options);
  }

  async #first<Result>(read: (source: BlobSource) => Promise<Result>, options: Cancellable = {}): Promise<Result> {
    let failure: unknown;
    for (const source of this.#sources) {
      try {
        return await read(source);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (!MoteError.isInstance(error)) throw error;
        failure = error;
      }
    }
    throw failure;
  }
}
