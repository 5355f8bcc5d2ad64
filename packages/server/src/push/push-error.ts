import { MoteError } from "@mote/core";
import { type ErrorCode, ErrorResponse } from "../routing/response.js";

const responses: Readonly<Record<string, readonly [number, ErrorCode, string]>> = {
  MOTE_NOT_FOUND: [404, "BLOB_UPLOAD_UNKNOWN", "the upload does not exist; it may have ended or expired: start again"],
  MOTE_OFFSET_MISMATCH: [
    416,
    "BLOB_UPLOAD_INVALID",
    "the bytes do not continue the upload; GET its location for its end",
  ],
  MOTE_IN_USE: [409, "BLOB_UPLOAD_INVALID", "another request is writing to this upload; wait until it ends"],
  MOTE_WRITER_GONE: [
    409,
    "BLOB_UPLOAD_INVALID",
    "another request continued this upload, because no bytes arrived here",
  ],
  MOTE_DIGEST_MISMATCH: [400, "DIGEST_INVALID", "the content does not match the digest; push it again"],
  MOTE_INVALID_DIGEST: [400, "DIGEST_INVALID", "the digest is not valid"],
  MOTE_UNSUPPORTED_ALGORITHM: [400, "DIGEST_INVALID", "use a digest of sha256, sha384 or sha512"],
  MOTE_SIZE_MISMATCH: [400, "SIZE_INVALID", "the content does not have the size that the request says"],
  MOTE_TOO_LARGE: [413, "SIZE_INVALID", "the content is larger than this registry accepts"],
  MOTE_INVALID_MANIFEST: [400, "MANIFEST_INVALID", "the manifest is not valid"],
  MOTE_TIMEOUT: [408, "BLOB_UPLOAD_INVALID", "no bytes arrived for too long; continue the upload"],
  MOTE_NO_SPACE: [507, "UNKNOWN", "the disk of this registry is full; free space there, then push again"],
  MOTE_UNWRITABLE: [
    503,
    "UNKNOWN",
    "this registry cannot write to its cache; check the permissions and the mount there",
  ],
};

/** Runs the work of a push. @throws ErrorResponse for the errors that a client can cause or act on, without paths of this machine */
export async function withPushErrors<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const known = MoteError.isInstance(error) ? responses[error.code] : undefined;
    if (known === undefined) throw error;
    const [status, code, message] = known;
    throw new ErrorResponse(status, code, message);
  }
}
