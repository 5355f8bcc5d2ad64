import { type Digest, MoteError, type MoteErrorCode } from "@mote/core";
import { redact } from "./redact.js";

/** What a request was about, for the details of its errors. */
export interface Subject {
  readonly registry: string;
  readonly repository?: string | undefined;
  readonly digest?: Digest | undefined;
  /** The tag or digest asked for. */
  readonly reference?: string | undefined;
}

/** What an answer said, as far as it matters when it is a refusal. */
export interface ErrorResponse {
  readonly status: number;
  /** Whether it was shown somebody's credentials, or a token got by them. */
  readonly shown?: boolean | undefined;
  /** Whether it was asked to keep something, so that "not found" is no miss. */
  readonly writes?: boolean | undefined;
  /** The host that answered, where a redirect led away from the registry. */
  readonly redirectedTo?: string | undefined;
  /** Why the login that is stored for the registry was not shown. */
  readonly unusedLogin?: string | undefined;
  /** The header's value. */
  readonly retryAfter?: string | undefined;
  readonly contentType?: string | undefined;
  /** The first bytes of the body, as text. */
  readonly text: string;
  /** What the server was shown, and might repeat. */
  readonly secrets?: readonly string[] | undefined;
}

/** Characters of a response that are read for its error message; 200 of them are shown. */
const longestText = 64 * 1024;

/** The error of a status that is no success. */
export function statusError(subject: Subject, refusal: ErrorResponse, what: string): MoteError {
  const { status } = refusal;
  const place = refusal.redirectedTo ?? subject.registry;
  const said = registryMessage(refusal);
  const unused = refusal.unusedLogin === undefined ? "" : `; the stored login was not used: ${refusal.unusedLogin}`;
  const because = `${said === undefined ? "" : ` (${said})`}${unused}`;
  const details = { ...plainSubject(subject), status };
  const isElsewhere = refusal.redirectedTo !== undefined && refusal.redirectedTo !== subject.registry;
  if (isElsewhere && (status === 401 || status === 403)) {
    return new MoteError(
      status === 401 ? "MOTE_UNAUTHORIZED" : "MOTE_FORBIDDEN",
      `${place}, where ${subject.registry} redirects to, refused ${what}${because}; try again, or ask the registry's operator: credentials are not sent there`,
      { details },
    );
  }
  if (status === 401) {
    const [fault, again] = refusal.shown ? ["refused the credentials", " again"] : ["wants credentials", ""];
    return new MoteError(
      "MOTE_UNAUTHORIZED",
      `${place} ${fault} for ${what}${because}; log in to it${again}, with mote login, docker login or podman login`,
      { details },
    );
  }
  if (status === 403) {
    return new MoteError(
      "MOTE_FORBIDDEN",
      `${place} forbids ${what}${because}; ask its owner for access, or log in as somebody who has it`,
      { details },
    );
  }
  if (status === 404 && !refusal.writes) {
    return new MoteError("MOTE_NOT_FOUND", `${place}: ${what} not found${because}; check the reference`, {
      details,
    });
  }
  if (status === 429) {
    const until = refusal.retryAfter === undefined ? "" : ` [Retry-After: ${oneLine(refusal.retryAfter, refusal)}]`;
    return new MoteError(
      "MOTE_RATE_LIMITED",
      `${place} limits how often it is asked${because}; ask for ${what} again later${until}, or log in for a higher limit`,
      { details },
    );
  }
  // distribution-spec, "Error Codes": what was sent does not hash to its digest.
  if (said?.startsWith("DIGEST_INVALID")) {
    return new MoteError("MOTE_DIGEST_MISMATCH", `${place} refused ${what}${because}; send it again`, { details });
  }
  const advice = adviceOn(status);
  return new MoteError("MOTE_REGISTRY", `${place} answered ${status} for ${what}${because}${advice}`, { details });
}

function adviceOn(status: number): string {
  if (status === 501 || status === 505)
    return "; it does not know how to: check that it is a registry that may do this";
  return status >= 500 ? "; it has failed by itself: try again later, or ask who runs it" : "";
}

/** The registry, and the repository where one was asked. */
export function placeOf({ registry, repository }: Subject): string {
  return repository === undefined ? registry : `${registry}/${repository}`;
}

/** Adds the place to an error about a document that was read there. */
export async function namingPlace<T>(subject: Subject, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    const details = { ...plainSubject(subject), ...error.details };
    throw new MoteError(error.code, `${placeOf(subject)}: ${error.message}`, { cause: error, details });
  }
}

/** More or fewer bytes than were expected. */
export function sizeError(subject: Subject, what: string, expected: number, actual: number): MoteError {
  return new MoteError(
    "MOTE_SIZE_MISMATCH",
    `${placeOf(subject)}: ${what} should have ${expected} bytes, and has ${actual}`,
    { details: { ...plainSubject(subject), expected, actual } },
  );
}

/** The error of an answer that the distribution specification does not allow. */
export function protocolError(subject: Subject, message: string, details: object = {}, cause?: unknown): MoteError {
  const about = subject.digest ?? subject.reference;
  const asked = about === undefined || message.includes(about) ? "" : ` (asking for ${about})`;
  return new MoteError("MOTE_REGISTRY", `${placeOf(subject)}: ${message}${asked}`, {
    details: { ...plainSubject(subject), ...details },
    cause,
  });
}

export type NetworkFailure = "unresolved" | "connect" | "proxy" | "tls" | "timeout" | "slow" | "cut";

/** How an exchange failed below HTTP. */
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

/** The error of an exchange that failed below HTTP. */
export function networkError(subject: Subject, host: string, error: unknown, what: string): MoteError {
  const failure = networkFailure(error);
  const [reason = "the connection failed"] = errorCodes(error);
  const details = { ...plainSubject(subject), host, reason };
  const isLate = failure === "timeout" || failure === "slow";
  const code: MoteErrorCode = isLate ? "MOTE_TIMEOUT" : "MOTE_UNREACHABLE";
  const via = error instanceof Error && "via" in error ? ` by way of ${error.via}` : "";
  const says = failure === "proxy" && error instanceof Error ? error.message : advice(failure, `${reason}${via}`);
  return new MoteError(code, `${host}: ${says} (asking for ${what})`, {
    details,
    cause: plain(error),
  });
}

function advice(failure: NetworkFailure, reason: string): string {
  switch (failure) {
    case "timeout":
      return `nothing came within the time allowed [${reason}]; check the network and try again, or allow more time`;
    case "slow":
      return "it sends next to nothing, for too long; try again later, or allow it to be slower";
    case "unresolved":
      return "no such host; check the registry's name, and that names can be resolved here";
    case "connect":
      return `no connection [${reason}]; check that the registry runs there, its port, and the proxy settings`;
    case "proxy":
      return `the proxy of the environment refused [${reason}]; check it, or except this host by NO_PROXY`;
    case "tls":
      // RFC 8446, section 6.2: alerts come from the other side.
      if (reason.includes("_ALERT_") && /CERTIFICATE|UNKNOWN_CA/.test(reason))
        return `it wants a client's certificate, or refuses the one that it was shown [${reason}]; give it the right one (cert, key)`;
      return /WRONG_VERSION|EPROTO|PACKET_LENGTH|UNKNOWN_PROTOCOL/.test(reason)
        ? `it does not speak TLS [${reason}]; if it is a plain HTTP registry, say so (--plain-http)`
        : `its certificate is not trusted [${reason}]; give the authority that signed it, or trust any certificate (insecure)`;
    case "cut":
      if (reason.startsWith("HPE_"))
        return `it does not speak HTTP [${reason}]; check that it is a registry, and whether it speaks TLS`;
      return `the connection was closed [${reason}]; try again, and check whether it speaks TLS or plain HTTP (--plain-http)`;
  }
}

/** An error of the connection without what hangs on it: some have the server's bytes with them. */
function plain(error: unknown, depth = 4): unknown {
  if (!(error instanceof Error)) return undefined;
  const cause = depth > 0 ? plain(error.cause, depth - 1) : undefined;
  const [code] = errorCodes(error);
  return Object.assign(new Error(error.message, cause === undefined ? {} : { cause }), { name: error.name, code });
}

/** Whether nobody answered at the host, as while a server starts anew. */
export function isAbsence(error: unknown): error is MoteError {
  if (!MoteError.isInstance(error) || error.code !== "MOTE_UNREACHABLE") return false;
  const failure = networkFailure(error.cause);
  return failure === "connect" || failure === "cut" || failure === "unresolved";
}

/** Whether an exchange failed by the network, rather than by a refusal, a check or a mistake in a program. */
export function isNetworkError(error: unknown): boolean {
  return !MoteError.isInstance(error) && !(error instanceof TypeError) && errorCodes(error).length > 0;
}

/** The codes of an error and of those behind it. */
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

/** distribution-spec, "Error Codes": `{"errors":[{"code","message","detail"}]}`. Bounded, on one line. */
function registryMessage(refusal: ErrorResponse): string | undefined {
  const messages = jsonMessages(refusal.text);
  if (messages !== undefined) return oneLine(messages, refusal);
  if (refusal.contentType === "text/html" || refusal.text.trimStart().startsWith("<")) return "with an HTML page";
  return oneLine(refusal.text, refusal) || undefined;
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

/** What the message leaves out: Nexus says there that a tag cannot be replaced, Quay what is wrong with a manifest. */
function detailOf(error: object): string {
  const detail: unknown = "detail" in error ? error.detail : undefined;
  if (typeof detail !== "object" || detail === null) return typeof detail === "string" ? detail : "";
  const { message, description, reason }: Record<string, unknown> = { ...detail };
  return [message, description, reason].find((text) => typeof text === "string") ?? "";
}

/** Bounded before anything looks at it, so that a long text costs no more than a short one. */
function oneLine(text: string, { secrets = [] }: Pick<ErrorResponse, "secrets">): string {
  const isCut = text.length > longestText;
  const redacted = redact(isCut ? text.slice(0, longestText) : text, secrets);
  // The cut may have left the beginning of a secret at the end, which is then not found as one.
  const longestSecret = Math.max(0, ...secrets.map((secret) => secret.length));
  const line = (isCut ? redacted.slice(0, Math.max(0, redacted.length - longestSecret)) : redacted)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a registry's text must not steer a terminal
    .replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, " ")
    .trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

function plainSubject(subject: Subject): object {
  return Object.fromEntries(Object.entries(subject).filter(([, value]) => value !== undefined));
}
