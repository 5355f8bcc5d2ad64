import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type Logger, silentLogger } from "@mote/core";
import { type Connection, Connections, defaultMaxConnections } from "./connections.js";
import { Endpoint, type EndpointOptions } from "./endpoint.js";
import { HostCheck, isLoopbackAddress } from "./host-check.js";
import { cannotListen } from "./listen-error.js";
import { printableTarget } from "./request-target.js";
import { type ApiResponse, ErrorResponse } from "./response.js";
import { send } from "./send.js";

/** Longer than the idle timeouts of proxies and clients (nginx and AWS 60 s, Go 90 s), which must close first. */
const keepAliveMs = 95_000;
/** Must be longer than `keepAliveMs`. */
const headersMs = 100_000;
const requestMs = 120_000;
const checkEveryMs = 5000;
/** The maximum number of header fields. Node drops further ones silently. */
const maxHeaders = 128;
/** `Retry-After` for rejected requests, in seconds. */
const retryAfter = "5";

/** A request that has ended. */
export interface ServedRequest {
  readonly method: string;
  /** Path and query, with everything except printable ASCII percent-encoded. */
  readonly path: string;
  /** 0 if the client disconnected before a response was sent. */
  readonly status: number;
  /** Bytes of the response body. */
  readonly bytesSent: number;
  readonly durationMs: number;
  /** False if the client disconnected or the body could not be sent completely. */
  readonly complete: boolean;
}

export interface ServeOptions extends EndpointOptions {
  /** The address to listen on. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** The port to listen on. Default 0: a free port. */
  readonly port?: number | undefined;
  /** How long `close` waits for in-flight requests, in milliseconds. Default 10,000. */
  readonly graceMs?: number | undefined;
  /** How long a client may read nothing before its connection is closed, in milliseconds. Default 60,000. */
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
  readonly onRequest?: ((request: ServedRequest) => void) | undefined;
  /** Closes the server when aborted. */
  readonly signal?: AbortSignal | undefined;
}

export interface RegistryServer extends AsyncDisposable {
  /** `http://HOST:PORT`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Stops listening, closes idle connections, and waits for in-flight requests for at most `graceMs`. */
  close(): Promise<void>;
}

/**
 * Starts a server without TLS.
 * @throws MOTE_LISTEN
 */
export async function serve(options: ServeOptions): Promise<RegistryServer> {
  const { port = 0, signal } = options;
  const host = (options.host ?? "127.0.0.1").replace(/^\[(.*)\]$/, "$1");
  signal?.throwIfAborted();
  const listener = new Listener(options);
  const bound = await listener.listen(host, port);
  const close = () => {
    signal?.removeEventListener("abort", close);
    return listener.close();
  };
  signal?.addEventListener("abort", close);
  if (signal?.aborted) {
    await close();
    signal.throwIfAborted();
  }
  const shownHost = host.includes(":") ? `[${host}]` : host;
  return { url: `http://${shownHost}:${bound}`, host, port: bound, close, [Symbol.asyncDispose]: close };
}

class Listener {
  readonly #server: Server;
  readonly #endpoint: Endpoint;
  readonly #logger: Logger;
  readonly #graceMs: number;
  readonly #onRequest: (request: ServedRequest) => void;
  readonly #connections: Connections;
  readonly #allowHosts: readonly string[];
  #hosts: HostCheck;
  #closed: Promise<void> | undefined;

  constructor(options: ServeOptions) {
    const { writeTimeoutMs = 60_000, maxConnections = defaultMaxConnections(), allowHosts = [] } = options;
    if (!(writeTimeoutMs > 0)) throw new TypeError("writeTimeoutMs must be greater than 0");
    if (!(maxConnections >= 1)) throw new TypeError("maxConnections must be at least 1");
    this.#endpoint = new Endpoint(options);
    this.#logger = options.logger ?? silentLogger;
    this.#graceMs = options.graceMs ?? 10_000;
    this.#onRequest = options.onRequest ?? (() => {});
    this.#connections = new Connections({ maxConnections, writeTimeoutMs });
    this.#allowHosts = allowHosts;
    this.#hosts = new HostCheck({ allowed: allowHosts, isLoopback: true });
    this.#server = createServer({
      keepAliveTimeout: keepAliveMs,
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: checkEveryMs,
      // `HostCheck` rejects such requests with an error body.
      requireHostHeader: false,
    });
    this.#server.maxHeadersCount = maxHeaders;
    const serveOne = (request: IncomingMessage, response: ServerResponse) => void this.#serveOne(request, response);
    this.#server.on("request", serveOne);
    // Responds without `100 Continue`, so that clients do not send a body.
    this.#server.on("checkContinue", serveOne);
    this.#server.on("connection", (socket) => this.#connections.add(socket));
    this.#server.on("timeout", (socket: Socket) => {
      if (this.#connections.handleTimeout(socket))
        this.#logger.debug("closed the connection of a client that reads nothing");
    });
  }

  async listen(host: string, port: number): Promise<number> {
    try {
      // Node would listen on all addresses.
      if (host === "") throw Object.assign(new Error("the address is empty"), { code: "EADDRNOTAVAIL" });
      this.#server.listen({ host, port });
      await once(this.#server, "listening");
    } catch (cause) {
      throw cannotListen(host, port, cause);
    }
    const bound = this.#server.address() as AddressInfo;
    this.#hosts = new HostCheck({ allowed: this.#allowHosts, isLoopback: isLoopbackAddress(bound.address) });
    return bound.port;
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeOnce();
    return this.#closed;
  }

  async #closeOnce(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#connections.closeIdle();
    const timer = setTimeout(() => this.#server.closeAllConnections(), this.#graceMs);
    await closed;
    clearTimeout(timer);
    await this.#endpoint.close();
  }

  async #serveOne(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    const { socket } = request;
    const connection = this.#connections.begin(socket);
    if (connection === undefined) return;
    const gone = new AbortController();
    let bytesSent = 0;
    // Errors of closed connections are handled by `close`.
    response.on("error", () => {});
    const turn = connection.turn;
    connection.turn = new Promise((resolve) => {
      const end = () => {
        if (!connection.onClose.delete(end)) return;
        const complete = response.writableFinished;
        if (!complete) gone.abort(new Error("the client disconnected"));
        this.#report(request, response, { bytesSent, durationMs: performance.now() - startedAt, complete });
        this.#release(connection, socket);
        resolve();
      };
      // A response that waits for its turn gets no "close" event.
      connection.onClose.add(end);
      response.once("close", end);
    });
    try {
      await turn;
      const result = await this.#respond(request, connection, gone.signal);
      const count = (bytes: number) => {
        bytesSent += bytes;
      };
      await send(result, request, response, { signal: gone.signal, count });
    } catch (error) {
      // Content-Length was sent, so the client can detect an incomplete body only by a reset connection.
      response.destroy();
      const path = printableTarget(request.url ?? "");
      if (!gone.signal.aborted) this.#logger.error("a response was aborted", { path, error });
    }
  }

  async #respond(request: IncomingMessage, connection: Connection, signal: AbortSignal): Promise<ApiResponse> {
    const { method = "GET", headers, rawHeaders } = request;
    try {
      signal.throwIfAborted();
      if (connection.isRejected) throw tooManyConnections();
      if (rawHeaders.length >= 2 * maxHeaders) {
        throw new ErrorResponse(431, "UNSUPPORTED", `the request has ${maxHeaders} header fields or more`);
      }
      const target = this.#hosts.targetOf(request);
      const header = (name: string) => {
        const value = headers[name];
        return Array.isArray(value) ? value.join(", ") : value;
      };
      return await this.#endpoint.respond({ method, target, header, signal });
    } catch (error) {
      if (!(error instanceof ErrorResponse)) throw error;
      const { body, ...head } = error.response;
      return method === "HEAD" || body === undefined ? head : { ...head, body };
    }
  }

  #report(
    request: IncomingMessage,
    response: ServerResponse,
    wire: Pick<ServedRequest, "bytesSent" | "durationMs" | "complete">,
  ): void {
    const { method = "GET", url = "/" } = request;
    const status = response.headersSent ? response.statusCode : 0;
    try {
      this.#onRequest({ method, path: printableTarget(url), status, ...wire });
    } catch (error) {
      this.#logger.error("onRequest failed", { error });
    }
  }

  #release(connection: Connection, socket: Socket): void {
    this.#connections.end(connection);
    if (this.#closed !== undefined && connection.inFlight === 0) socket.destroySoon();
  }
}

function tooManyConnections(): ErrorResponse {
  const message = `too many connections; try again in ${retryAfter} seconds`;
  return new ErrorResponse(503, "TOOMANYREQUESTS", message, { headers: { "retry-after": retryAfter } });
}
