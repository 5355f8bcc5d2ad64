import { MoteError } from "@mote/core";
export type NetworkFailure = "unresolved" | "connect" | "proxy" | "tls" | "timeout" | "slow" | "cut";

/** Kinds of errors below HTTP. */
export function networkFailure(error: unknown): NetworkFailure {
  const codes = errorCodes(error);
  if (codes.includes("EPROXY")) return "proxy";
  if (codes.includes("ETOOSLOW")) return "slow";
  if (codes.some((code) => /TIMEOUT|ETIMEDOUT/.test(code))) return "timeout";
  if (codes.some((code) => code === "ENOTFOUND" || code === "EAI_AGAIN")) return "unresolved";
  if (codes.some((code) => /^ERR_TLS|^ERR_SSL|CERT|^EPROTO$|SIGNATURE|ISSUER/.test(code))) return "tls";
  if (codes.some((code) => /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|EACCES|EPERM)$/.test(code))) {
    return "connect";
  }
  return "cut";
}

/** Returns whether the network failed, rather than an error response, a check or a bug. */
export function isNetworkError(error: unknown): boolean {
  return !MoteError.isInstance(error) && !(error instanceof TypeError) && errorCodes(error).length > 0;
}

/** Returns the codes of an error and its causes. */
export function errorCodes(error: unknown): string[] {
  const codes: string[] = [];
  const seen = new Set<unknown>();
  const pending: unknown[] = [error];
  while (pending.length > 0) {
    const at = pending.shift();
    if (!(at instanceof Error) || seen.has(at)) continue;
    seen.add(at);
    if ("code" in at && typeof at.code === "string") codes.push(at.code);
    if (at instanceof AggregateError) pending.push(...at.errors);
    pending.push(at.cause);
  }
  return codes;
}
