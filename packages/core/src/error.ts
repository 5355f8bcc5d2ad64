/** The error codes of mote's packages. Codes may be added; a code never changes its meaning. */
export type MoteErrorCode =
  /** The requested content or name does not exist. The only code that is a cache miss. */
  | "MOTE_NOT_FOUND"
  /** The content has more or fewer bytes than expected. `details.resumable`: the connection was interrupted, so the download can resume. */
  | "MOTE_SIZE_MISMATCH"
  /** The received bytes do not match the requested digest. */
  | "MOTE_DIGEST_MISMATCH"
  /** The text is not a valid OCI digest. */
  | "MOTE_INVALID_DIGEST"
  /** The digest is well formed, but mote does not support its algorithm. */
  | "MOTE_UNSUPPORTED_ALGORITHM"
  /** The text is not a valid reference. `details`: `{ text, position, reason, suggestion? }`. */
  | "MOTE_INVALID_REFERENCE"
  /** The transport is known, but mote does not move content over it. */
  | "MOTE_UNSUPPORTED_TRANSPORT"
  /** Stored content is damaged: it no longer matches its digest. */
  | "MOTE_CORRUPT"
  /** The server did not send the requested range of a blob, or sent one of a changed blob. The blob can be read in one stream. */
  | "MOTE_RANGE_REFUSED"
  /** The writer of an in-flight fetch aborted or died. Another process may resume it. */
  | "MOTE_WRITER_GONE"
  /** The name or digest prefix matches several items. `details`: `{ text, candidates }`. */
  | "MOTE_AMBIGUOUS"
  /** The content is pinned and cannot be removed. */
  | "MOTE_PINNED"
  /** The content is leased by a process and was not removed. `details`: `{ digest, holder? }`. */
  | "MOTE_IN_USE"
  /** The object was used after it was closed. */
  | "MOTE_CLOSED"
  /** A manifest, index or layout file is not JSON or does not follow its specification. */
  | "MOTE_INVALID_MANIFEST"
  /** An archive is damaged, or has entries that are not allowed, such as devices or paths that lead out of it. */
  | "MOTE_INVALID_ARCHIVE"
  /** The content pulled into a directory is not an artifact of files, but for example a container image or an index. */
  | "MOTE_NOT_FILES"
  /**
   * Something else already exists under the name and would be overwritten. `details`: `{ path }`, or for an immutable tag of a registry
   * `{ registry, repository, reference, digest, actual }`.
   */
  | "MOTE_EXISTS"
  /** The content or a count exceeds a limit. */
  | "MOTE_TOO_LARGE"
  /**
   * The image does not have the requested platform, or the cache does not have it and the source cannot be reached.
   * `details.platforms`: the available platforms.
   */
  | "MOTE_NO_PLATFORM"
  /** An export of a blob-info cache is not valid. `details`: `{ line }`. */
  | "MOTE_INVALID_FACT"
  /** The tag or name is not valid at its destination. */
  | "MOTE_INVALID_NAME"
  /** The registry requires credentials or rejected them (401). */
  | "MOTE_UNAUTHORIZED"
  /** The registry denied access with these credentials (403). */
  | "MOTE_FORBIDDEN"
  /** The connection failed: the host was not found, it refused the connection, or TLS failed. */
  | "MOTE_UNREACHABLE"
  /** The operation timed out. */
  | "MOTE_TIMEOUT"
  /** The rate limit of the registry is exceeded (429), also after retries. */
  | "MOTE_RATE_LIMITED"
  /** The registry returned a server error or a response that violates the distribution specification. */
  | "MOTE_REGISTRY"
  /** The bytes do not continue an upload where it ends. `details.offset`: where it ends. */
  | "MOTE_OFFSET_MISMATCH"
  /** The registry lost an upload. Sending the blob again may succeed. */
  | "MOTE_UPLOAD_LOST"
  /** The server cannot listen on the address. */
  | "MOTE_LISTEN"
  /** A configuration file cannot be read or written, or a setting is not valid. */
  | "MOTE_CONFIG"
  /** A folder or file has a format version that this release does not support. */
  | "MOTE_UNSUPPORTED_FORMAT"
  /** The cache or the destination cannot be written, for example because of its permissions. */
  | "MOTE_UNWRITABLE"
  /** The disk is full or its quota is exceeded. */
  | "MOTE_NO_SPACE"
  /** Another error of the file system or database, which is the `cause`. */
  | "MOTE_IO";

const marker: unique symbol = Symbol.for("mote.error") as never;

/**
 * The error class of all packages. Test `code`, not the message, after `MoteError.isInstance`, which works across duplicate installs of this
 * package. Misuse by the programmer is a `TypeError`; an abort rejects with the signal's reason.
 */
export class MoteError extends Error {
  readonly code: MoteErrorCode | (string & {});
  readonly details?: object;
  /** @internal */
  readonly [marker] = true;

  constructor(
    code: MoteErrorCode | (string & {}),
    message: string,
    options?: { readonly cause?: unknown; readonly details?: object },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = "MoteError";
    this.code = code;
    if (options?.details !== undefined) this.details = options.details;
  }

  static isInstance(error: unknown): error is MoteError {
    return error instanceof Error && marker in error;
  }
}

/** Returns whether `error` is a cache miss. */
export function isNotFound(error: unknown): boolean {
  return hasCode(error, "MOTE_NOT_FOUND");
}

/** Returns the result of `work`; undefined if it rejects with MOTE_NOT_FOUND. */
export async function ifFound<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Returns whether an error is a `MoteError` with one of the codes. */
export function hasCode(error: unknown, ...codes: readonly MoteErrorCode[]): error is MoteError {
  return MoteError.isInstance(error) && codes.some((code) => code === error.code);
}
