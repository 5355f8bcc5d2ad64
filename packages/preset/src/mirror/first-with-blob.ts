import { isNotFound, MoteError, type MoteSource } from "@mote/core";

type BlobSource = Pick<MoteSource, "find" | "moteReader">;

/**
 * Returns a source that finds and reads a blob in the first of several repositories that has it and can be reached.
 * @param sources in order; the error of the last one counts
 */
export function firstWithBlob(sources: readonly BlobSource[]): BlobSource {
  const first = async <Result>(
    signal: AbortSignal | undefined,
    read: (source: BlobSource) => Promise<Result>,
  ): Promise<Result> => {
    let failure: unknown;
    for (const source of sources) {
      try {
        return await read(source);
      } catch (error) {
        signal?.throwIfAborted();
        if (!MoteError.isInstance(error)) throw error;
        failure = error;
      }
    }
    throw failure;
  };
  return {
    find: (digest, options = {}) =>
      first(options.signal, async (source) => {
        const found = await source.find(digest, options);
        if (found !== undefined) return found;
        throw new MoteError("MOTE_NOT_FOUND", `${digest} does not exist`, { details: { digest } });
      }).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      }),
    moteReader: (digest, options = {}) => first(options.signal, (source) => source.moteReader(digest, options)),
  };
}
