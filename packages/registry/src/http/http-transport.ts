import type { SecureContext } from "node:tls";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The host is neither the registry nor its token service: no client certificate is used. */
  readonly crossOrigin?: boolean | undefined;
  /** A GET with a long expected response. */
  readonly bulk?: boolean | undefined;
  /** The chunk's memory is reused when the next chunk is read. */
  readonly reuse?: boolean | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** Returns a header's first value; names in lower case. */
  header(name: string): string | undefined;
  headers(name: string): readonly string[];
  /** Must be read once, or released by `discard`. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Discards the rest of the body. */
  discard(): void;
  /** Closes the connection; the body's reader gets the error. */
  destroy(error: Error): void;
}

/** A way to reach hosts: opens connections on first use, and keeps them alive. */
export interface HttpTransport {
  /** The proxy, for messages. */
  readonly via?: string | undefined;
  /** Resolves with the head of the response. */
  exchange(request: HttpRequest): Promise<HttpResponse>;
  /** Closes all connections. */
  close(): Promise<void>;
}

export interface TransportOptions {
  readonly tls: {
    readonly ca?: string | readonly string[];
    readonly cert?: string;
    readonly key?: string;
    readonly rejectUnauthorized?: boolean;
    /** In place of `ca`, `cert` and `key`. */
    readonly secureContext?: SecureContext;
  };
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** Bodies up to this many bytes are read to the end, to reuse the connection. */
export const worthReadingBytes = 64 * 1024;

/** Bytes of a body that are buffered before backpressure. */
export const bodyBufferBytes = 512 * 1024;

/** Idle connections are closed after this, before a server may close them during a request. */
export const keepAliveMs = 4000;

/** The maximum of Node's timers; a longer one would fire at once. */
export const longestMs = 2 ** 31 - 1;

export function cutError(message: string): Error {
  return Object.assign(new Error(message), { code: "ECONNRESET" });
}

export function timeoutError(message: string): Error {
  return Object.assign(new Error(message), { code: "ETIMEDOUT" });
}

/** The body is too short. */
export function slowError(message: string): Error {
  return Object.assign(new Error(message), { code: "ETOOSLOW" });
}

/** Returns the reason of an abort as an error. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}
