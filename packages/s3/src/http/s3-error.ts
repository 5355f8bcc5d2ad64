import { hasCode, MoteError, messageOf } from "@mote/core";
import { headerTimeMs } from "./exchange.js";
import { childText, parseXml } from "./xml.js";

/** What a request was for, in messages. */
export interface Purpose {
  /** Completes "cannot …": `read sha256:…`. */
  readonly what: string;
  /** Whether it changes the bucket. */
  readonly writes: boolean;
}

/** The bucket, as messages name it. */
export interface NamedBucket {
  readonly bucket: string;
  readonly endpoint: string;
  readonly region: string;
}

/** An error response. */
export interface ErrorResponse {
  readonly status: number;
  /** S3's code, such as `NoSuchKey`; undefined without a body, as after HEAD. */
  readonly code: string | undefined;
  readonly message: string | undefined;
  /** The region of the bucket, if it is another one. */
  readonly region: string | undefined;
  readonly requestId: string | undefined;
  /** How far the clock of this machine is ahead of the server's, in milliseconds, if the server sent its time. */
  readonly aheadMs: number | undefined;
}

/** How far the clocks may differ (S3's limit is 15 minutes). */
const maxSkewMs = 14 * 60_000;

/** Parses an error response. Its text is never trusted to be XML. */
export function parseErrorResponse(
  response: { readonly status: number; header(name: string): string | undefined },
  body: string,
  nowMs: number,
): ErrorResponse {
  const dateMs = headerTimeMs(response, "date");
  const common = {
    status: response.status,
    aheadMs: dateMs === undefined ? undefined : nowMs - dateMs,
    requestId: response.header("x-amz-request-id"),
  };
  const region = response.header("x-amz-bucket-region");
  const unknown = { ...common, code: undefined, message: undefined, region };
  // As of HEAD.
  if (body === "") return unknown;
  try {
    const error = parseXml(body);
    if (error.name !== "Error") throw new SyntaxError("not an error document");
    return {
      ...common,
      code: childText(error, "Code"),
      message: childText(error, "Message")?.slice(0, 300),
      region: region ?? childText(error, "Region"),
    };
  } catch {
    return unknown;
  }
}

/** Returns whether credentials were rejected that may have expired; after HEAD, only the status is known. */
export function mayBeExpired({ status, code }: ErrorResponse): boolean {
  if (code === undefined) return status === 400 || status === 401 || status === 403;
  return [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidToken",
    "TokenRefreshRequired",
    "InvalidAccessKeyId",
    "XAdminUserNotFound",
  ].includes(code);
}

/** Returns the error to throw for an error response that no attempt will change. */
export function responseError(response: ErrorResponse, purpose: Purpose, where: NamedBucket): MoteError {
  const [code, why] = explain(response, purpose, where);
  const { status, code: s3Code, requestId } = response;
  const details = { bucket: where.bucket, endpoint: where.endpoint, status, s3Code, requestId };
  return new MoteError(code, `cannot ${purpose.what} in the bucket ${where.bucket} at ${where.endpoint}: ${why}`, {
    details,
  });
}

/** Returns the error to throw if the connection failed. */
export function connectionError(cause: unknown, purpose: Purpose, where: NamedBucket): MoteError {
  return new MoteError(
    hasCode(cause, "MOTE_TIMEOUT") ? "MOTE_TIMEOUT" : "MOTE_UNREACHABLE",
    `cannot ${purpose.what} in the bucket ${where.bucket}: no connection to ${where.endpoint} (${messageOf(cause)}); check the endpoint and the network`,
    { cause, details: { bucket: where.bucket, endpoint: where.endpoint } },
  );
}

/** Returns the code of the error for an object that a batch could not remove. */
export function removalErrorCode(s3Code: string): "MOTE_UNWRITABLE" | "MOTE_IO" {
  return s3Code === "AccessDenied" ? "MOTE_UNWRITABLE" : "MOTE_IO";
}

/** Returns the error to throw if a response is not what S3 sends, but another server's or a proxy's. */
export function unexpectedResponse(what: string, why: string, cause?: unknown): MoteError {
  return new MoteError(
    "MOTE_IO",
    `cannot ${what}: the response is not from S3 (${printable(why, 120)}); check the endpoint and proxies`,
    { cause },
  );
}

function explain(response: ErrorResponse, purpose: Purpose, where: NamedBucket): [code: string, why: string] {
  const { status, code = "", aheadMs = 0, region } = response;
  const isSkewed = code === "RequestTimeTooSkewed" || (status === 403 && Math.abs(aheadMs) > maxSkewMs);
  if (isSkewed) {
    const minutes = Math.round(Math.abs(aheadMs) / 60_000);
    const by =
      minutes > 0
        ? `${minutes} minutes ${aheadMs > 0 ? "ahead of" : "behind"} the server's`
        : "too far from the server's";
    return ["MOTE_UNAUTHORIZED", `the clock of this machine is ${by}, so that signatures are rejected; set the clock`];
  }
  if (
    status === 301 ||
    status === 307 ||
    code === "PermanentRedirect" ||
    (region !== undefined && region !== where.region)
  ) {
    const is = region === undefined ? "another region" : `the region ${region.slice(0, 40)}`;
    return [
      "MOTE_CONFIG",
      `the bucket is in ${is}, not in ${where.region}; set the region, for example with AWS_REGION`,
    ];
  }
  switch (code) {
    case "AuthorizationHeaderMalformed":
      return [
        "MOTE_CONFIG",
        `the service rejects the region ${where.region}; set its region, for example with AWS_REGION`,
      ];
    case "NoSuchBucket":
      return ["MOTE_CONFIG", "the bucket does not exist; check its name and the endpoint, or create it"];
    case "InvalidBucketName":
      return ["MOTE_CONFIG", "the bucket name is not valid; check it"];
    case "InvalidAccessKeyId":
    // versitygw, with 404.
    case "XAdminUserNotFound":
      return ["MOTE_UNAUTHORIZED", "the service does not know the access key; check AWS_ACCESS_KEY_ID or the profile"];
    case "SignatureDoesNotMatch":
      return ["MOTE_UNAUTHORIZED", "the service rejects the signature; check the secret access key"];
    case "ExpiredToken":
    case "ExpiredTokenException":
    case "InvalidToken":
    case "TokenRefreshRequired":
      return ["MOTE_UNAUTHORIZED", "the credentials have expired; renew them"];
    case "QuotaExceeded":
    case "XMinioAdminBucketQuotaExceeded":
    case "XMinioStorageFull":
    case "EntityTooLarge":
      return ["MOTE_NO_SPACE", `the service has no space for it (${code}); raise the quota or prune the bucket`];
    case "XAmzContentSHA256Mismatch":
    case "BadDigest":
      return [
        "MOTE_DIGEST_MISMATCH",
        "the service received other bytes than were sent; try again, and check the network",
      ];
    case "NotImplemented":
      return ["MOTE_IO", "the service does not implement this request"];
  }
  if (status === 507) return ["MOTE_NO_SPACE", "the service has no space for it; raise the quota or prune the bucket"];
  if (status === 401) return ["MOTE_UNAUTHORIZED", "the service requires other credentials; check them"];
  if (status === 403 && purpose.writes)
    return [
      "MOTE_UNWRITABLE",
      "access denied; allow s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload to write to it",
    ];
  if (status === 403) return ["MOTE_FORBIDDEN", "access denied; allow s3:GetObject and s3:ListBucket to read from it"];
  // Without a body, as after HEAD, S3's 503 is "SlowDown".
  if (status === 429 || code.startsWith("SlowDown") || (status === 503 && code === ""))
    return ["MOTE_RATE_LIMITED", "the service limits the request rate; try again later, or with fewer clients"];
  const isOther = code === "" && status < 500;
  if (isOther) return ["MOTE_IO", `the response ${status} is not S3's; check the endpoint and proxies`];
  const named = code === "" ? "" : ` ${printable(code, 40)}: ${printable(response.message ?? "", 200)}`;
  return ["MOTE_IO", `the service responded with ${status}${named}`];
}

function printable(text: string, maxLength: number): string {
  return text.slice(0, maxLength).replace(/[^\x20-\x7e]/g, "?");
}
