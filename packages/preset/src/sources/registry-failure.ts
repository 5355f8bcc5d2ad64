import { MoteError } from "@mote/core";

/** A registry that fails, or that gives something that does not pass the checks: a login page, other bytes. */
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

/** What a registry says about the image: 401, 403, 404. */
const answers: ReadonlySet<string> = new Set(["MOTE_UNAUTHORIZED", "MOTE_FORBIDDEN", "MOTE_NOT_FOUND"]);

/** Whether a registry has failed to answer, in whatever way. A refusal, such as 403, is an answer. */
export function isRegistryFailure(error: unknown): error is MoteError {
  if (!MoteError.isInstance(error) || !failures.has(error.code)) return false;
  const status = statusOf(error);
  // 407 comes from a proxy.
  return status === undefined || status < 400 || status >= 500 || [407, 408, 429].includes(status);
}

/** Whether a registry has refused what it was asked for. */
export function isRegistryResponse(error: unknown): error is MoteError {
  return MoteError.isInstance(error) && answers.has(error.code);
}

/** Whether there was no answer at all, so that nothing else will be answered either. */
export function isSilence(error: MoteError): boolean {
  return error.code === "MOTE_UNREACHABLE" || error.code === "MOTE_TIMEOUT";
}

function statusOf({ details }: MoteError): number | undefined {
  return details !== undefined && "status" in details && typeof details.status === "number"
    ? details.status
    : undefined;
}
