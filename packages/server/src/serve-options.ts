import type { EndpointOptions } from "./endpoint.js";
import type { ClientLimit } from "./listening/client-limits.js";
import type { TlsFiles } from "./listening/tls.js";
import type { RequestFacts } from "./routing/response.js";
import type { StatusOptions } from "./status/status.js";

/** A request that has ended. */
export interface ServedRequest {
  readonly method: string;
  /** Path and query, with everything except printable ASCII percent-encoded. Queries may contain secrets. */
  readonly path: string;
  /** 0 if the client disconnected before a response was sent. */
  readonly status: number;
  /** Bytes of the response body. */
  readonly bytesSent: number;
  readonly durationMs: number;
  /** False if the client disconnected or the body could not be sent completely. */
  readonly complete: boolean;
  /** The address of the client. */
  readonly client: string;
  readonly userAgent: string | undefined;
  readonly facts: Readonly<RequestFacts>;
  /** Whether a manifest or blob was answered without a request to an upstream. Undefined for other requests, and if it was not found. */
  readonly isHit: boolean | undefined;
}

export interface ServeOptions extends EndpointOptions, Pick<StatusOptions, "version" | "maxCacheBytes"> {
  /** The address to listen on. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** The port to listen on. Default 0: a free port. */
  readonly port?: number | undefined;
  /** How long `drain` and `close` wait for in-flight requests, in milliseconds. Default 10,000. */
  readonly graceMs?: number | undefined;
  /** How long a client may read nothing, or send nothing of a body, before its connection is closed, in milliseconds. Default 60,000. */
  readonly writeTimeoutMs?: number | undefined;
  /**
   * The maximum number of connections. Beyond it, connections that have been idle for 5 seconds are closed; if there are none, requests are
   * rejected with 503. Default 4,096, or less if the process cannot open twice as many files.
   */
  readonly maxConnections?: number | undefined;
  /**
   * Hosts, with or without a port, that requests may have besides IP addresses and `localhost`. Others are rejected with 421. Default: none on
   * a loopback address, any on other addresses.
   */
  readonly allowHosts?: readonly string[] | undefined;
  /** What a client may use at a time. Requests beyond it get 429. Default: no limit. */
  readonly clientLimit?: ClientLimit | undefined;
  /** The certificate and key for TLS. Default: plain HTTP. */
  readonly tls?: TlsFiles | undefined;
  /** Rejects with the reason why content cannot be served, for `/readyz`. Default: `source` is asked for a blob. */
  readonly checkReady?: (() => Promise<unknown>) | undefined;
  readonly onRequest?: ((request: ServedRequest) => void) | undefined;
  /** Closes the server when aborted. */
  readonly signal?: AbortSignal | undefined;
}
