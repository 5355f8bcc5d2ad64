/** A request, independent of the HTTP server. */
export interface RequestContext {
  readonly method: string;
  /** Path and query, unchanged. */
  readonly target: string;
  /** Returns the value of a header. @param name in lower case */
  header(name: string): string | undefined;
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
}

/** A body that is read while it is sent. It ends cleanly only if it is complete and verified. */
interface StreamedBody {
  readonly chunks: AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface ApiResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | StreamedBody;
}

/** Error codes of a read-only endpoint (distribution-spec, "Error Codes"); `UNKNOWN` is Docker's code for internal errors. */
export type ErrorCode =
  | "BLOB_UNKNOWN"
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "PAGINATION_NUMBER_INVALID"
  | "TOOMANYREQUESTS"
  | "UNAUTHORIZED"
  | "UNSUPPORTED"
  | "UNKNOWN";

/** An error whose `response` is sent to the client. */
export class ErrorResponse extends Error {
  readonly response: ApiResponse;

  constructor(status: number, code: ErrorCode, message: string, more: { detail?: unknown; headers?: object } = {}) {
    super(message);
    const { detail = {}, headers = {} } = more;
    this.response = jsonResponse(status, { errors: [{ code, message, detail }] }, headers);
  }
}

export function jsonResponse(status: number, body: unknown, headers: object = {}): ApiResponse {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  return {
    status,
    headers: { "content-type": "application/json", "content-length": String(bytes.byteLength), ...headers },
    body: bytes,
  };
}
