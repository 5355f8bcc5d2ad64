/** Every code that mote's own packages use. The list grows; a code never changes its meaning. */
export type MoteErrorCode =
  /** What was asked for is not there. The only code that is a miss. */
  | "MOTE_NOT_FOUND"
  /** More or fewer bytes came than were promised. `details.resumable`: too few, as the connection broke; they may be its beginning. */
  | "MOTE_SIZE_MISMATCH"
  /** The bytes that came do not hash to the digest that they were asked for under. */
  | "MOTE_DIGEST_MISMATCH"
  /** The text is not a valid digest by the OCI grammar. */
  | "MOTE_INVALID_DIGEST"
  /** The digest is well formed, of an algorithm that mote does not compute. */
  | "MOTE_UNSUPPORTED_ALGORITHM"
  /** The text is not a valid reference. `details`: `{ text, position, reason, suggestion? }`. */
  | "MOTE_INVALID_REFERENCE"
  /** The transport is known, but mote does not move content over it. */
  | "MOTE_UNSUPPORTED_TRANSPORT"
  /** Stored content is damaged: it no longer matches its digest. */
  | "MOTE_CORRUPT"
  /** Who wrote what is being followed gave up or died. Another may lead. */
  | "MOTE_WRITER_GONE"
  /** What was given stands for several things. `details`: `{ text, candidates }`. */
  | "MOTE_AMBIGUOUS"
  /** It is pinned, and so stays. */
  | "MOTE_PINNED"
  /** A process at work needs it: it was not removed. `details`: `{ digest, holder? }`. */
  | "MOTE_IN_USE"
  /** Used after close. */
  | "MOTE_CLOSED"
  /** A manifest, index or layout file that is not JSON, or not of the shape that its specification requires. */
  | "MOTE_INVALID_MANIFEST"
  /** An archive that is damaged, or that holds what has no place in one of content: devices, names that lead out of it. */
  | "MOTE_INVALID_ARCHIVE"
  /** What is pulled into a plain folder is not an artifact of files: a container image, an index. */
  | "MOTE_NOT_FILES"
  /**
   * Something else is there already under the name, and would be lost. `details`: `{ path }`; of a tag that a registry does not let change,
   * `{ registry, repository, reference, digest, actual }`.
   */
  | "MOTE_EXISTS"
  /** A document is larger than the bound set for it. */
  | "MOTE_TOO_LARGE"
  /**
   * No platform of the index, or of the single image, is the one asked for; or it is not in the cache while the source cannot be asked.
   * `details.platforms`: those that are there.
   */
  | "MOTE_NO_PLATFORM"
  /** Exported facts of a blob-info cache that cannot be read. `details`: `{ line }`. */
  | "MOTE_INVALID_FACT"
  /** A tag or another name that the place cannot hold. */
  | "MOTE_INVALID_NAME"
  /** The registry wants credentials, or refused those it got (401). */
  | "MOTE_UNAUTHORIZED"
  /** The registry knows the credentials and forbids this (403). */
  | "MOTE_FORBIDDEN"
  /** No connection: name not found, refused, TLS failed. */
  | "MOTE_UNREACHABLE"
  /** Nothing came for longer than the bound set for it. */
  | "MOTE_TIMEOUT"
  /** The registry asks to slow down (429), and went on asking. */
  | "MOTE_RATE_LIMITED"
  /** The registry answered in a way that the distribution specification does not allow, or with a server error. */
  | "MOTE_REGISTRY"
  /** A registry has lost what was sent of a blob so far. Sent again from the start, it may arrive. */
  | "MOTE_UPLOAD_LOST"
  /** A server cannot have the address that it was told to listen on. */
  | "MOTE_LISTEN"
  /** A configuration file cannot be read or written, or a setting is none that can be used. */
  | "MOTE_CONFIG"
  /** A folder or file of a format version that this release does not know. */
  | "MOTE_UNSUPPORTED_FORMAT"
  /** The cache or the destination cannot be written: permissions, a read-only mount. */
  | "MOTE_UNWRITABLE"
  /** The disk, or a quota on it, is full. */
  | "MOTE_NO_SPACE"
  /** Another failure of the file system or the database below. `cause` has it. */
  | "MOTE_IO";

const marker: unique symbol = Symbol.for("mote.error") as never;

/**
 * The one error class. Test `code`, never the message; recognise it by `MoteError.isInstance`, which holds across duplicate
 * installs of this package. Misuse by the programmer is a plain `TypeError`; an abort rejects with the signal's own reason.
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

/** True where `error` is the one failure that counts as a miss. */
export function isNotFound(error: unknown): boolean {
  return MoteError.isInstance(error) && error.code === "MOTE_NOT_FOUND";
}
