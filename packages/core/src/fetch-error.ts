import { hasCode } from "./error.js";
import { detailOf } from "./system-error.js";

/** Wraps an error of the cache as its `cause`, to distinguish it from errors of the source. */
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

/** Returns whether the connection was interrupted too often. */
export function isTruncated(error: unknown): boolean {
  return detailOf(error, "resumable") !== undefined;
}

/** Returns whether the received bytes are wrong, which is an error of the source even if the cache's writer detects it. */
export function isMismatch(error: unknown): boolean {
  return hasCode(error, "MOTE_SIZE_MISMATCH", "MOTE_DIGEST_MISMATCH");
}
