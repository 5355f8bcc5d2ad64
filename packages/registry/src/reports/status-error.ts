import { MoteError, type MoteErrorCode } from "@mote/core";
import { redact } from "../http/redact.js";
import { parseRetryAfter } from "../http/retry.js";
import { plainSubject, type Subject } from "./subject.js";

/** The content of an error response. */
export interface ErrorResponse {
  readonly status: number;
  /** Whether credentials, or a token obtained with them, were sent. */
  readonly sentLogin?: boolean | undefined;
  /** Whether the request was a write: then "not found" is not a miss. */
  readonly writes?: boolean | undefined;
  /** The host that responded, if a redirect led away from the registry. */
  readonly redirectedTo?: string | undefined;
  /** Why the stored login was not sent. */
  readonly unusedLogin?: string | undefined;
  /** The header's value. */
  readonly retryAfter?: string | undefined;
  readonly contentType?: string | undefined;
  /** The first bytes of the body, as text. */
  readonly text: string;
  /** Secrets that were sent, which the response may repeat. */
  readonly secrets?: readonly string[] | undefined;
}

/** Characters of a response read for its error message, which shows 200. */
const longestText = 64 * 1024;

/** Converts an error response to an error. */
export function statusError(subject: Subject, response: ErrorResponse, what: string): MoteError {
  const { status } = response;
  const place = response.redirectedTo ?? subject.registry;
  const said = registryMessage(response);
  const unused = response.unusedLogin === undefined ? "" : `; the stored login was not used: ${response.unusedLogin}`;
  const because = `${said === undefined ? "" : ` (${said})`}${unused}`;
  const retryAfterMs = parseRetryAfter(response.retryAfter, Date.now());
  const details = { ...plainSubject(subject), status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  const error = (code: MoteErrorCode, message: string) => new MoteError(code, message, { details });
  const isElsewhere = response.redirectedTo !== undefined && response.redirectedTo !== subject.registry;
  if (isElsewhere && (status === 401 || status === 403)) {
    return error(
      status === 401 ? "MOTE_UNAUTHORIZED" : "MOTE_FORBIDDEN",
      `${place}, to which ${subject.registry} redirects, rejected ${what}${because}; retry, or contact the registry's operator: credentials are not sent there`,
    );
  }
  if (status === 401) {
    const [problem, again] = response.sentLogin ? ["rejected the credentials", " again"] : ["requires credentials", ""];
    const advice = `log in to it${again}, with mote login, docker login or podman login`;
    return error("MOTE_UNAUTHORIZED", `${place} ${problem} for ${what}${because}; ${advice}`);
  }
  if (status === 403) {
    const advice = "ask its owner for access, or log in as a user who has it";
    return error("MOTE_FORBIDDEN", `${place} denied access to ${what}${because}; ${advice}`);
  }
  if (status === 404 && !response.writes)
    return error("MOTE_NOT_FOUND", `${place}: ${what} not found${because}; check the reference`);
  if (status === 429) {
    const until = response.retryAfter === undefined ? "" : ` [Retry-After: ${oneLine(response.retryAfter, response)}]`;
    const advice = `retry later${until}, or log in for a higher limit`;
    return error("MOTE_RATE_LIMITED", `${place}: rate limit exceeded for ${what}${because}; ${advice}`);
  }
  // distribution-spec, "Error Codes": the content does not match its digest.
  if (said?.startsWith("DIGEST_INVALID"))
    return error("MOTE_DIGEST_MISMATCH", `${place} rejected ${what}${because}; send it again`);
  return error("MOTE_REGISTRY", `${place} responded with ${status} for ${what}${because}${adviceOn(status)}`);
}

function adviceOn(status: number): string {
  if (status === 501 || status === 505) return "; not supported; check that it is a registry that supports this";
  return status >= 500 ? "; server error; retry later or contact its operator" : "";
}

/** distribution-spec, "Error Codes": `{"errors":[{"code","message","detail"}]}`. Bounded, on one line. */
function registryMessage(response: ErrorResponse): string | undefined {
  const messages = jsonMessages(response.text);
  if (messages !== undefined) return oneLine(messages, response);
  if (response.contentType === "text/html" || response.text.trimStart().startsWith("<")) return "with an HTML page";
  return oneLine(response.text, response) || undefined;
}

function jsonMessages(text: string): string | undefined {
  if (text.length > longestText) return undefined;
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== "object" || body === null) return undefined;
    const errors: unknown = "errors" in body ? body.errors : [body];
    if (!Array.isArray(errors)) return undefined;
    const said = errors.map((error: unknown) => {
      if (typeof error !== "object" || error === null) return "";
      const code = "code" in error && typeof error.code === "string" ? error.code : "";
      const message = "message" in error && typeof error.message === "string" ? error.message : "";
      return [code, message, detailOf(error)].filter((part) => part !== "").join(": ");
    });
    return said.filter((part) => part !== "").join("; ") || undefined;
  } catch {
    return undefined;
  }
}

/** Details beyond the message: Nexus reports there that a tag cannot be replaced, Quay why a manifest is invalid. */
function detailOf(error: object): string {
  const detail: unknown = "detail" in error ? error.detail : undefined;
  if (typeof detail !== "object" || detail === null) return typeof detail === "string" ? detail : "";
  const { message, description, reason }: Record<string, unknown> = { ...detail };
  return [message, description, reason].find((text) => typeof text === "string") ?? "";
}

/** Truncates first, so that a long text costs no more than a short one. */
function oneLine(text: string, { secrets = [] }: Pick<ErrorResponse, "secrets">): string {
  const isCut = text.length > longestText;
  const redacted = redact(isCut ? text.slice(0, longestText) : text, secrets);
  // The truncated end may be part of a secret that is not recognized.
  const longestSecret = Math.max(0, ...secrets.map((secret) => secret.length));
  const line = (isCut ? redacted.slice(0, Math.max(0, redacted.length - longestSecret)) : redacted)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a registry's text must not steer a terminal
    .replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, " ")
    .trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
