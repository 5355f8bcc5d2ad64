import type { SecureContext } from "node:tls";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Limits the time for the response head. */
  readonly headLimit?: HeadLimit | undefined;
  /** The host is neither the registry nor its token service: no client certificate is used. */
  readonly crossOrigin?: boolean | undefined;
  /** A HEAD, or a GET whose response mostly has a length, of a manifest or blob. */
  readonly bulk?: boolean | undefined;
  /** The chunk's memory is reused when the next chunk is read. */
  readonly reuse?: boolean | undefined;
  /** With `bulk`: how many further connections to open if this request opens one, for requests that are about to follow. */
  readonly spares?: number | undefined;
}

/** Ends an exchange whose response head takes too long: a signal of its own would cost more than a small response. */
export class HeadLimit {
  #error: Error | undefined;
  #end: ((error: Error) => void) | undefined;

  exceed(error: Error): void {
    this.#error = error;
    this.#end?.(error);
  }

  /** Calls `end` when the limit is exceeded, even if it already is. Replaces the function of an earlier call. */
  onExceeded(end: (error: Error) => void): void {
    this.#end = end;
    if (this.#error !== undefined) end(this.#error);
  }
}

export interface HttpResponse {
  readonly status: number;
  /** Returns a header's first value; names in lower case. */
  header(name: string): string | undefined;
  headers(name: string): readonly string[];
  /** Must be read once, or released by `discard`. */
  readonly body: AsyncIterable<Uint8Array>;
  /**
   * Reads a small body of known length at once, instead of `body`: streams cost more than the rest of a small response. Resolves to undefined
   * if the body is not small or does not arrive completely within `limitMs`: then `body` has all of it.
   */
  complete?(limitMs: number): Promise<Uint8Array | undefined>;
  /** Discards the rest of the body. */
  discard(): void;
  /** Closes the connection; the body's reader gets the error. */
  destroy(error: Error): void;
}

/** Opens connections on first use, and keeps them alive. */
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
    readonly ca?: string[];
    readonly cert?: string;
    readonly key?: string;
    readonly rejectUnauthorized?: boolean;
    /** Replaces `ca`, `cert` and `key`. */
    readonly secureContext?: SecureContext;
  };
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** Bodies up to this many bytes are read to the end, to reuse the connection. */
export const worthReadingBytes = 64 * 1024;

/** Bodies up to this many bytes can be read at once. */
export const completeBytes = 64 * 1024;

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

/** Returns the error for a response below the minimum rate. */
export function slowError(message: string): Error {
  return Object.assign(new Error(message), { code: "ETOOSLOW" });
}

/** Returns the reason of an abort as an error. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}
