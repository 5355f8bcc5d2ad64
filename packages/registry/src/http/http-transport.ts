import type { SecureContext } from "node:tls";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A host outside the registry and its token service: no client certificate is sent to it. */
  readonly crossOrigin?: boolean | undefined;
  /** A GET whose response is expected to be long. */
  readonly bulk?: boolean | undefined;
  /** The chunk's memory is reused when the next chunk is read. */
  readonly reuse?: boolean | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** The first value of a header; names in lower case. */
  header(name: string): string | undefined;
  headers(name: string): readonly string[];
  /** To be read once, or let go by `discard`. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets the rest of the body go. */
  discard(): void;
  /** Cuts the connection: the reader of the body gets the error. */
  destroy(error: Error): void;
}

/** One way to reach hosts: opens connections when they are first wanted, and keeps them alive. */
export interface HttpTransport {
  /** The proxy that all of it goes by, for messages. */
  readonly via?: string | undefined;
  /** Resolves when the head of the response has come. */
  exchange(request: HttpRequest): Promise<HttpResponse>;
  /** Cuts all connections. */
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

/** A body up to this many bytes is read to its end rather than cut, because that keeps its connection. */
export const worthReadingBytes = 64 * 1024;

/** Bytes of a body that wait for who reads it, before the network has to wait too. */
export const bodyBufferBytes = 512 * 1024;

/** An idle connection is closed after this; who serves it may close it too, at a moment when a request is on its way. */
export const keepAliveMs = 4000;

/** What Node's timers hold; beyond, they would be over at once. */
export const longestMs = 2 ** 31 - 1;

export function cutError(message: string): Error {
  return Object.assign(new Error(message), { code: "ECONNRESET" });
}

export function timeoutError(message: string): Error {
  return Object.assign(new Error(message), { code: "ETIMEDOUT" });
}

/** Bytes came, and too few. */
export function slowError(message: string): Error {
  return Object.assign(new Error(message), { code: "ETOOSLOW" });
}

/** Returns the reason of an abort as an error. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}
