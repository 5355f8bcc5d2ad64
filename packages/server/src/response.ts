/** What is asked of the endpoint, whatever HTTP server it came through. */
export interface RequestContext {
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  /** A header's value, by its lower-case name. */
  header(name: string): string | undefined;
  /** Aborted when the client has gone away. */
  readonly signal: AbortSignal;
}

/** A body that is read as it is sent. It ends cleanly only if all of it was sent and sound. */
interface StreamedBody {
  readonly chunks: AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface ApiResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | StreamedBody;
}

/** The codes of distribution-spec, "Error Codes", that a read-only endpoint can give; `UNKNOWN` is Docker's, for its own faults. */
export type ErrorCode =
  | "BLOB_UNKNOWN"
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "PAGINATION_NUMBER_INVALID"
  | "TOOMANYREQUESTS"
  | "UNSUPPORTED"
  | "UNKNOWN";

/** Thrown where a request cannot be answered as asked; its answer goes to the client as it is. */
export class ErrorResponse extends Error {
  readonly answer: ApiResponse;

  constructor(status: number, code: ErrorCode, message: string, more: { detail?: unknown; headers?: object } = {}) {
    super(message);
    const { detail = {}, headers = {} } = more;
    this.answer = jsonResponse(status, { errors: [{ code, message, detail }] }, headers);
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
