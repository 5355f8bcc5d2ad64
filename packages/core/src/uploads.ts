import type { Cancellable } from "./cancellable.js";
import type { Digest, DigestAlgorithm } from "./digest.js";
import type { MoteInfo } from "./mote.js";

/** Describes a blob that is being uploaded. */
export interface Upload {
  readonly id: string;
  /** Bytes received so far, which is the offset of the next one. */
  readonly offset: number;
}

export interface BeginUploadOptions extends Cancellable {
  /** The algorithm of the digest that the upload will be finished with. Default sha256. Another one costs reading the bytes again. */
  readonly algorithm?: DigestAlgorithm | undefined;
}

export interface AppendUploadOptions extends Cancellable {
  /** Where the first byte belongs. Default: after the last one received. */
  readonly offset?: number | undefined;
}

export interface ExpireUploadsOptions extends Cancellable {
  /** Removes uploads that received nothing for longer than this, in milliseconds. Default: the limit of the cache. */
  readonly maxAgeMs?: number | undefined;
}

/**
 * Receives blobs whose digest is known only at their end, in as many calls as needed, by any process that uses the cache and after a restart.
 * The bytes are not visible as a mote before `finish` has verified them.
 *
 * An upload belongs to a repository; every method treats it as missing in all others. One caller at a time writes to an upload. Uploads that
 * receive nothing for a long time are removed.
 */
export interface Uploads {
  /** Starts an empty upload. @throws MOTE_INVALID_NAME · MOTE_TOO_LARGE if there are too many · MOTE_UNWRITABLE · MOTE_NO_SPACE */
  begin(repository: string, options?: BeginUploadOptions): Promise<Upload>;
  /** Returns undefined if the upload does not exist. */
  status(repository: string, id: string, options?: Cancellable): Promise<Upload | undefined>;
  /**
   * Adds bytes to an upload. What arrived before an error or an abort stays, except after MOTE_NO_SPACE and MOTE_TOO_LARGE.
   * @throws MOTE_NOT_FOUND · MOTE_OFFSET_MISMATCH with `details.offset`, where to continue · MOTE_IN_USE if another caller writes to it ·
   * MOTE_WRITER_GONE if another caller continued it because no byte arrived for a long time · MOTE_TOO_LARGE · MOTE_NO_SPACE
   */
  append(
    repository: string,
    id: string,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options?: AppendUploadOptions,
  ): Promise<Upload>;
  /**
   * Verifies the bytes and stores them as a mote. The upload ends, unless this is aborted.
   * @throws MOTE_DIGEST_MISMATCH; the bytes are discarded then · MOTE_NOT_FOUND · MOTE_IN_USE · MOTE_NO_SPACE
   */
  finish(repository: string, id: string, digest: Digest, options?: Cancellable): Promise<MoteInfo>;
  /** Discards an upload. Returns whether it existed. @throws MOTE_IN_USE */
  cancel(repository: string, id: string, options?: Cancellable): Promise<boolean>;
  /** Removes old uploads. Returns their number. */
  expire(options?: ExpireUploadsOptions): Promise<number>;
}
