/** What is found out about a request while it is answered, for logs and metrics. */
export interface RequestFacts {
  /** Who has logged in. */
  user?: string | undefined;
  /** The upstream that the requested repository belongs to, as in references. */
  upstream?: string | undefined;
  /** The URL of the member of the fleet that sends the request. */
  member?: string | undefined;
}

/** A request, independent of the HTTP server. */
export interface RequestContext {
  readonly method: string;
  /** Path and query, unchanged. */
  readonly target: string;
  /** Returns the value of a header. @param name in lower case */
  header(name: string): string | undefined;
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
  readonly facts: RequestFacts;
  /** Starts to read the body. Absent if there is none. Call it at most once. */
  readonly body?: (() => AsyncIterable<Uint8Array>) | undefined;
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
  /** Of a manifest or blob: whether it was answered without a request to an upstream. */
  readonly isHit?: boolean | undefined;
}

/** Error codes (distribution-spec, "Error Codes"); `UNKNOWN` is Docker's code for internal errors. */
export type ErrorCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "PAGINATION_NUMBER_INVALID"
  | "SIZE_INVALID"
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

/** Returns the response to a request with the method: to HEAD it has no body. */
export function withoutBodyOfHead(method: string, { body, ...head }: ApiResponse): ApiResponse {
  return method === "HEAD" || body === undefined ? head : { ...head, body };
}

export function jsonResponse(status: number, body: unknown, headers: object = {}): ApiResponse {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  return {
    status,
    headers: { "content-type": "application/json", "content-length": String(bytes.byteLength), ...headers },
    body: bytes,
  };
}
