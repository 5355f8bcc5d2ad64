import { MoteError } from "@mote/core";

/** The cache could not take or give bytes, whatever the others did; `cause` says why. It never leaves this package. */
export class CacheError extends Error {
  static writing(cause: unknown): CacheError {
    return new CacheError("the cache cannot be written", { cause });
  }

  static reading(cause: unknown): CacheError {
    return new CacheError("the cache cannot be read", { cause });
  }
}

export async function readingCache<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw CacheError.reading(error);
  }
}

/** Too few bytes came, as their connection broke once too often. */
export function isTruncated(error: unknown): boolean {
  return MoteError.isInstance(error) && error.details !== undefined && "resumable" in error.details;
}

/** Wrong bytes came: that is the fault of who sent them, though the cache's writer noticed. */
export function isMismatch(error: unknown): boolean {
  return MoteError.isInstance(error) && (error.code === "MOTE_SIZE_MISMATCH" || error.code === "MOTE_DIGEST_MISMATCH");
}
