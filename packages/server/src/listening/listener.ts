import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { digestBytes, type Logger, messageOf, silentLogger } from "@mote/core";
import { Endpoint } from "../endpoint.js";
import { printableTarget } from "../routing/request-target.js";
import { type ApiResponse, ErrorResponse, type RequestFacts, withoutBodyOfHead } from "../routing/response.js";
import type { ServedRequest, ServeOptions } from "../serve-options.js";
import { Status } from "../status/status.js";
import { ClientLimits, type ClientTurn } from "./client-limits.js";
import { type Connection, Connections, defaultMaxConnections } from "./connections.js";
import { Handshakes } from "./handshakes.js";
import { type HealthState, healthResponse, isHealthRequest } from "./health.js";
import { HostCheck, isLoopbackAddress } from "./host-check.js";
import { cannotListen } from "./listen-error.js";
import { RequestBody } from "./request-body.js";
import { send } from "./send.js";
import { readTlsPair, type TlsFiles } from "./tls.js";

/** Longer than the idle timeouts of proxies and clients (nginx and AWS 60 s, Go 90 s), which must close first. */
const keepAliveMs = 95_000;
/** Must be longer than `keepAliveMs`. */
const headersMs = 100_000;
const requestMs = 120_000;
const checkEveryMs = 5000;
const handshakeMs = 10_000;
/** The maximum number of header fields. Node drops further ones silently. */
const maxHeaders = 128;
/** `Retry-After` for rejected requests, in seconds. */
const retryAfter = "5";

/** A request that is being served. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly connection: Connection;
  readonly signal: AbortSignal;
  readonly facts: RequestFacts;
  readonly isHealth: boolean;
  /** Undefined before the client has a turn, and for health requests. */
  client: ClientTurn | undefined;
}

/** A server's socket: connections, limits and health. The endpoint responds to everything else. */
export class Listener {
  readonly #server: Server;
  readonly #tlsServer: TlsServer | undefined;
  readonly #tls: TlsFiles | undefined;
  readonly #endpoint: Endpoint;
  readonly #status: Status;
  readonly #logger: Logger;
  readonly #graceMs: number;
  /** How long a client may send nothing of a body. */
  readonly #idleMs: number;
  readonly #onRequest: (request: ServedRequest) => void;
  readonly #connections: Connections;
  readonly #handshakes = new Handshakes();
  readonly #clients: ClientLimits;
  readonly #checkReady: HealthState["checkReady"];
  readonly #allowHosts: readonly string[];
  /** The host at which the members of a fleet reach this one. */
  readonly #ownHosts: readonly string[];
  #hosts: HostCheck;
  /** Requests, except those about health. */
  #inFlight = 0;
  #onIdle: (() => void) | undefined;
  #drained: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: ServeOptions) {
    const { writeTimeoutMs = 60_000, maxConnections = defaultMaxConnections(), allowHosts = [], source } = options;
    if (!(writeTimeoutMs > 0)) throw new TypeError("writeTimeoutMs must be greater than 0");
    if (!(maxConnections >= 1)) throw new TypeError("maxConnections must be at least 1");
    this.#clients = new ClientLimits(options.clientLimit ?? {});
    this.#connections = new Connections({ maxConnections, writeTimeoutMs });
    this.#logger = options.logger ?? silentLogger;
    this.#graceMs = options.graceMs ?? 10_000;
    this.#idleMs = writeTimeoutMs;
    this.#onRequest = options.onRequest ?? (() => {});
    this.#checkReady = options.checkReady ?? (() => source.moteExists(digestBytes(new Uint8Array())));
    this.#allowHosts = allowHosts;
    this.#ownHosts = options.fleet === undefined ? [] : [new URL(options.fleet.url).hostname];
    this.#hosts = new HostCheck({ allowed: allowHosts, own: this.#ownHosts, isLoopback: true });
    const settings = {
      keepAliveTimeout: keepAliveMs,
      headersTimeout: headersMs,
      // A push may take any time; `RequestBody` bounds the time without bytes.
      requestTimeout: options.push === undefined ? requestMs : 0,
      connectionsCheckingInterval: checkEveryMs,
      // `HostCheck` rejects such requests with an error body.
      requireHostHeader: false,
    };
    this.#tls = options.tls;
    if (options.tls === undefined) this.#server = createServer(settings);
    else {
      const pair = readTlsPair(options.tls);
      this.#tlsServer = createTlsServer({ ...settings, ...pair, handshakeTimeout: handshakeMs });
      this.#server = this.#tlsServer;
      this.#handshakes.watch(this.#tlsServer, maxConnections);
    }
    this.#status = new Status(options);
    this.#endpoint = new Endpoint(options, this.#status.routes());
    this.#server.maxHeadersCount = maxHeaders;
    const serveOne = (request: IncomingMessage, response: ServerResponse) => void this.#serveOne(request, response);
    this.#server.on("request", serveOne);
    // Responds without `100 Continue` unless the body is read, so that clients do not send it in vain.
    this.#server.on("checkContinue", serveOne);
    const connected = this.#tls === undefined ? "connection" : "secureConnection";
    this.#server.on(connected, (socket) => this.#connections.add(socket));
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
    this.#hosts = new HostCheck({
      allowed: this.#allowHosts,
      own: this.#ownHosts,
      isLoopback: isLoopbackAddress(bound.address),
    });
    return bound.port;
  }

  reloadTls(): void {
    if (this.#tls === undefined) return;
    try {
      this.#tlsServer?.setSecureContext(readTlsPair(this.#tls));
    } catch (error) {
      this.#logger.error(`${messageOf(error)}; the certificate in use stays`);
    }
  }

  drain(): Promise<void> {
    this.#drained ??= this.#drainOnce();
    return this.#drained;
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeOnce();
    return this.#closed;
  }

  async #drainOnce(): Promise<void> {
    const timer = setTimeout(() => this.#server.closeAllConnections(), this.#graceMs);
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    clearTimeout(timer);
    await this.close();
  }

  async #closeOnce(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#handshakes.close();
    this.#connections.closeIdle();
    const timer = setTimeout(() => this.#server.closeAllConnections(), this.#graceMs);
    await closed;
    clearTimeout(timer);
    await this.#status.close();
    await this.#endpoint.close();
  }

  async #serveOne(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    const { socket, method = "GET", url = "/" } = request;
    const connection = this.#connections.begin(socket);
    if (connection === undefined) return;
    const gone = new AbortController();
    const address = socket.remoteAddress ?? "";
    const exchange: Exchange = {
      request,
      connection,
      signal: gone.signal,
      facts: {},
      isHealth: isHealthRequest(method, url),
      client: undefined,
    };
    if (!exchange.isHealth) this.#inFlight++;
    const counted = this.#status.statistics.begin();
    let bytesSent = 0;
    let isHit: boolean | undefined;
    // Errors of closed connections are handled by `close`.
    response.on("error", () => {});
    const turn = connection.turn;
    connection.turn = new Promise((resolve) => {
      const end = () => {
        if (!connection.onClose.delete(end)) return;
        const complete = response.writableFinished;
        if (!complete) gone.abort(new Error("the client disconnected"));
        const durationMs = performance.now() - startedAt;
        const { facts } = exchange;
        counted.ended(method, url, response.headersSent ? response.statusCode : 0);
        this.#report(request, response, { bytesSent, durationMs, complete, client: address, facts, isHit });
        this.#release(exchange);
        resolve();
      };
      // A response that waits for its turn gets no "close" event.
      connection.onClose.add(end);
      response.once("close", end);
    });
    try {
      await turn;
      const body = new RequestBody(request, response, { idleMs: this.#idleMs, onReceived: counted.received });
      const result = await this.#respond(exchange, address, body);
      isHit = result.isHit;
      counted.answered(isHit);
      const sent = (bytes: number) => {
        bytesSent += bytes;
        counted.sent(bytes);
        return exchange.client?.pace(bytes, gone.signal);
      };
      const isReusable = !mustClose(result.status) && (await body.skip());
      const beforeClose = async () => (connection.isRejected ? undefined : body.linger());
      await send(result, response, { signal: gone.signal, sent, isReusable, beforeClose });
    } catch (error) {
      // Content-Length was sent, so the client can detect an incomplete body only by a reset connection.
      response.destroy();
      const path = printableTarget(url);
      if (!gone.signal.aborted) this.#logger.error("a response was aborted", { path, error });
    }
  }

  async #respond(exchange: Exchange, address: string, body: RequestBody): Promise<ApiResponse> {
    const { request, connection, signal, facts, isHealth } = exchange;
    const { method = "GET", headers, rawHeaders } = request;
    try {
      signal.throwIfAborted();
      if (connection.isRejected) throw tooManyConnections();
      if (rawHeaders.length >= 2 * maxHeaders) {
        throw new ErrorResponse(431, "UNSUPPORTED", `the request has ${maxHeaders} header fields or more`);
      }
      const target = this.#hosts.targetOf(request);
      if (isHealth) return withoutBodyOfHead(method, await healthResponse(target, this.#health()));
      if (this.#drained !== undefined) throw stopping();
      const header = (name: string) => {
        const value = headers[name];
        return Array.isArray(value) ? value.join(", ") : value;
      };
      const context = { method, target, header, signal, facts };
      // A member of the fleet asks for all its clients.
      if (!(await this.#endpoint.isOfFleet(context))) {
        // A client that has gone meanwhile would be counted for ever.
        signal.throwIfAborted();
        exchange.client = this.#clients.begin(address);
        if (exchange.client === undefined) throw tooManyRequests();
      }
      return await this.#endpoint.respond(body.isEmpty ? context : { ...context, body: () => body.read() });
    } catch (error) {
      if (!(error instanceof ErrorResponse)) throw error;
      return withoutBodyOfHead(method, error.response);
    }
  }

  #health(): HealthState {
    return { checkReady: this.#checkReady, isDraining: this.#drained !== undefined || this.#closed !== undefined };
  }

  #report(
    request: IncomingMessage,
    response: ServerResponse,
    outcome: Pick<ServedRequest, "bytesSent" | "durationMs" | "complete" | "client" | "facts" | "isHit">,
  ): void {
    const { method = "GET", url = "/", headers } = request;
    const status = response.headersSent ? response.statusCode : 0;
    try {
      this.#onRequest({ method, path: printableTarget(url), status, userAgent: headers["user-agent"], ...outcome });
    } catch (error) {
      this.#logger.error("onRequest failed", { error });
    }
  }

  #release({ request: { socket }, connection, client, isHealth }: Exchange): void {
    client?.end();
    this.#connections.end(connection);
    if (this.#closed !== undefined && connection.inFlight === 0) socket.destroySoon();
    if (!isHealth && --this.#inFlight === 0) this.#onIdle?.();
  }
}

/** After these, a client that sends more requests would only get more errors. */
function mustClose(status: number): boolean {
  return status === 405 || status === 503;
}

function tooManyConnections(): ErrorResponse {
  const message = `too many connections; try again in ${retryAfter} seconds`;
  return new ErrorResponse(503, "TOOMANYREQUESTS", message, { headers: { "retry-after": retryAfter } });
}

function tooManyRequests(): ErrorResponse {
  const message = "this client has too many requests at the same time; retry when some of them have ended";
  return new ErrorResponse(429, "TOOMANYREQUESTS", message, { headers: { "retry-after": "1" } });
}

function stopping(): ErrorResponse {
  const message = `the server is stopping; try again in ${retryAfter} seconds`;
  return new ErrorResponse(503, "UNKNOWN", message, { headers: { "retry-after": retryAfter } });
}
