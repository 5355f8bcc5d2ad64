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

/** Longer than proxies and clients keep their side (nginx and AWS 60 s, Go 90 s): whoever closes first must not be this one. */
const keepAliveMs = 95_000;
/** A head that is not complete by then is given up; looked at every few seconds. Longer than a connection is kept alive. */
const headersMs = 100_000;
const requestMs = 120_000;
const checkEveryMs = 5000;
/** Header fields of a request. Node drops further ones silently. */
const mostHeaders = 128;
/** Seconds after which a client that was refused may try again. */
const retryAfter = "5";

/** A request that has ended, as it was on the wire. */
export interface ServedRequest {
  readonly method: string;
  /** Path and query, as they were asked for; what is not printable ASCII is percent-encoded. */
  readonly path: string;
  /** 0 where the client went away before anything was sent. */
  readonly status: number;
  /** Bytes of the body. */
  readonly bytesSent: number;
  readonly durationMs: number;
  /** False where the client went away, or the body could not be sent whole. */
  readonly complete: boolean;
}

export interface ServeOptions extends EndpointOptions {
  /** Default `127.0.0.1`: this machine only. */
  readonly host?: string | undefined;
  /** Default 0: a free one. */
  readonly port?: number | undefined;
  /** How long `close` lets requests in flight go on, in milliseconds. Default 10,000. */
  readonly graceMs?: number | undefined;
  /** How long a client may read nothing of what it is sent before its connection is closed, in milliseconds. Default 60,000. */
  readonly writeTimeoutMs?: number | undefined;
  /**
   * Connections at once. Beyond it, those that have been idle for some seconds are closed; if there are none, requests are refused with
   * 503. Default 4,096, or less where the process may not open twice as many files.
   */
  readonly maxConnections?: number | undefined;
  /**
   * Names of this server, with or without a port, that requests may give as their host, beside IP addresses and `localhost`. Others are
   * refused with 421. Default: none on a loopback address, any elsewhere.
   */
  readonly allowHosts?: readonly string[] | undefined;
  readonly onRequest?: ((request: ServedRequest) => void) | undefined;
  /** Aborted, it closes the server. */
  readonly signal?: AbortSignal | undefined;
}

export interface RegistryServer extends AsyncDisposable {
  /** `http://HOST:PORT`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Takes no more connections, ends the idle ones, and lets requests in flight end for at most `graceMs`. */
  close(): Promise<void>;
}

/**
 * Listens, in plain HTTP.
 * @throws MOTE_LISTEN where the address cannot be had
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
    if (!(writeTimeoutMs > 0)) throw new TypeError("writeTimeoutMs is a number of milliseconds above 0");
    if (!(maxConnections >= 1)) throw new TypeError("maxConnections is a number from 1");
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
      // Told by ourselves, with a body that says so.
      requireHostHeader: false,
    });
    this.#server.maxHeadersCount = mostHeaders;
    const serveOne = (request: IncomingMessage, response: ServerResponse) => void this.#serveOne(request, response);
    this.#server.on("request", serveOne);
    // Nobody is invited to send a body.
    this.#server.on("checkContinue", serveOne);
    this.#server.on("connection", (socket) => this.#connections.add(socket));
    this.#server.on("timeout", (socket: Socket) => {
      if (this.#connections.timedOut(socket))
        this.#logger.debug("closed the connection of a client that reads nothing");
    });
  }

  async listen(host: string, port: number): Promise<number> {
    try {
      // Node would listen on every address.
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
    // Writing to a connection that has just gone is no fault: `close` tells.
    response.on("error", () => {});
    const turn = connection.turn;
    connection.turn = new Promise((resolve) => {
      const end = () => {
        if (!connection.onGone.delete(end)) return;
        const complete = response.writableFinished;
        if (!complete) gone.abort(new Error("the client went away"));
        this.#report(request, response, { bytesSent, durationMs: performance.now() - startedAt, complete });
        this.#release(connection, socket);
        resolve();
      };
      // A response that waits for its turn is not told when the connection closes.
      connection.onGone.add(end);
      response.once("close", end);
    });
    try {
      await turn;
      const answer = await this.#answer(request, connection, gone.signal);
      const count = (bytes: number) => {
        bytesSent += bytes;
      };
      await send(answer, request, response, { signal: gone.signal, count });
    } catch (error) {
      // The length was announced: breaking the connection is the one way to say that this is not the whole.
      response.destroy();
      const path = printableTarget(request.url ?? "");
      if (!gone.signal.aborted) this.#logger.error("a response was broken off", { path, error });
    }
  }

  async #answer(request: IncomingMessage, connection: Connection, signal: AbortSignal): Promise<ApiResponse> {
    const { method = "GET", headers, rawHeaders } = request;
    try {
      signal.throwIfAborted();
      if (connection.isRefused) throw tooManyConnections();
      if (rawHeaders.length >= 2 * mostHeaders) {
        throw new ErrorResponse(431, "UNSUPPORTED", `the request has ${mostHeaders} header fields or more`);
      }
      const target = this.#hosts.targetOf(request);
      const header = (name: string) => {
        const value = headers[name];
        return Array.isArray(value) ? value.join(", ") : value;
      };
      return await this.#endpoint.answer({ method, target, header, signal });
    } catch (error) {
      if (!(error instanceof ErrorResponse)) throw error;
      const { body, ...answer } = error.answer;
      return method === "HEAD" || body === undefined ? answer : { ...answer, body };
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
