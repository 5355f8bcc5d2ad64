import { detailOf, MoteError } from "@mote/core";

/** A registry failed, or sent content that fails verification, such as a login page. */
const failures: ReadonlySet<string> = new Set([
  "MOTE_UNREACHABLE",
  "MOTE_TIMEOUT",
  "MOTE_RATE_LIMITED",
  "MOTE_REGISTRY",
  "MOTE_DIGEST_MISMATCH",
  "MOTE_SIZE_MISMATCH",
  "MOTE_INVALID_MANIFEST",
  "MOTE_TOO_LARGE",
]);

/** Responses about the image itself: 401, 403, 404. */
const responses: ReadonlySet<string> = new Set(["MOTE_UNAUTHORIZED", "MOTE_FORBIDDEN", "MOTE_NOT_FOUND"]);

/** Returns whether the registry failed. An error response about the image, such as 403, is not a failure. */
export function isRegistryFailure(error: unknown): error is MoteError {
  if (!MoteError.isInstance(error) || !failures.has(error.code)) return false;
  const status = detailOf(error, "status");
  // 407 comes from a proxy.
  return typeof status !== "number" || status < 400 || status >= 500 || [407, 408, 429].includes(status);
}

/** Returns whether the registry responded with an error about the image. */
export function isRegistryResponse(error: unknown): error is MoteError {
  return MoteError.isInstance(error) && responses.has(error.code);
}

/** Returns whether there was no response, so that another request is unlikely to get one. */
export function isSilence(error: MoteError): boolean {
  return error.code === "MOTE_UNREACHABLE" || error.code === "MOTE_TIMEOUT";
}
