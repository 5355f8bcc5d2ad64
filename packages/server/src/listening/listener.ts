import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { digestBytes, messageOf, silentLogger } from "@mote/core";
import { Endpoint } from "../endpoint.js";
import { printableTarget } from "../routing/request-target.js";
import { type ApiResponse, ErrorResponse, type RequestFacts, withoutBodyOfHead } from "../routing/response.js";
import type { ServedRequest, ServeOptions } from "../serve-options.js";
import { openStatus } from "../status/status.js";
import { ClientLimits, type ClientTurn } from "./client-limits.js";
import { type Connection, Connections, defaultMaxConnections } from "./connections.js";
import { Handshakes } from "./handshakes.js";
import { type HealthState, healthResponse, isHealthRequest } from "./health.js";
import { HostCheck, isLoopbackAddress } from "./host-check.js";
import { cannotListen } from "./listen-error.js";
import { RequestBody } from "./request-body.js";
import { send } from "./send.js";
import { readTlsPair } from "./tls.js";

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

export interface Listener {
  /** Returns the port. @throws MOTE_LISTEN */
  listen(host: string, port: number): Promise<number>;
  reloadTls(): void;
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Returns a server's socket: connections, limits and health. The endpoint responds to everything else. */
export function openListener(options: ServeOptions): Listener {
  const { writeTimeoutMs = 60_000, maxConnections = defaultMaxConnections(), allowHosts = [], source, tls } = options;
  const { logger = silentLogger, graceMs = 10_000, onRequest = () => {} } = options;
  const { checkReady = () => source.moteExists(digestBytes(new Uint8Array())) } = options;
  if (!(writeTimeoutMs > 0)) throw new TypeError("writeTimeoutMs must be greater than 0");
  if (!(maxConnections >= 1)) throw new TypeError("maxConnections must be at least 1");
  const clients = new ClientLimits(options.clientLimit ?? {});
  const connections = new Connections({ maxConnections, writeTimeoutMs });
  const handshakes = new Handshakes();
  /** The host at which the members of a fleet reach this one. */
  const ownHosts = options.fleet === undefined ? [] : [new URL(options.fleet.url).hostname];
  let hosts = new HostCheck({ allowed: allowHosts, own: ownHosts, isLoopback: true });
  /** Requests, except those about health. */
  let inFlight = 0;
  let onIdle: (() => void) | undefined;
  let drained: Promise<void> | undefined;
  let closed: Promise<void> | undefined;
  const settings = {
    keepAliveTimeout: keepAliveMs,
    headersTimeout: headersMs,
    // A push may take any time; `RequestBody` bounds the time without bytes.
    requestTimeout: options.push === undefined ? requestMs : 0,
    connectionsCheckingInterval: checkEveryMs,
    // `HostCheck` rejects such requests with an error body.
    requireHostHeader: false,
  };
  const tlsServer = tls && createTlsServer({ ...settings, ...readTlsPair(tls), handshakeTimeout: handshakeMs });
  const server: Server = tlsServer ?? createServer(settings);
  if (tlsServer !== undefined) handshakes.watch(tlsServer, maxConnections);
  const status = openStatus(options);
  const endpoint = new Endpoint(options, status.routes);
  server.maxHeadersCount = maxHeaders;
  const onRequestEvent = (request: IncomingMessage, response: ServerResponse) => void serveOne(request, response);
  server.on("request", onRequestEvent);
  // Responds without `100 Continue` unless the body is read, so that clients do not send it in vain.
  server.on("checkContinue", onRequestEvent);
  server.on(tls === undefined ? "connection" : "secureConnection", (socket) => connections.add(socket));
  server.on("timeout", (socket: Socket) => {
    if (connections.handleTimeout(socket)) logger.debug("closed the connection of a client that reads nothing");
  });

  async function listen(host: string, port: number): Promise<number> {
    try {
      // Node would listen on all addresses.
      if (host === "") throw Object.assign(new Error("the address is empty"), { code: "EADDRNOTAVAIL" });
      server.listen({ host, port });
      await once(server, "listening");
    } catch (cause) {
      throw cannotListen(host, port, cause);
    }
    const bound = server.address() as AddressInfo;
    hosts = new HostCheck({ allowed: allowHosts, own: ownHosts, isLoopback: isLoopbackAddress(bound.address) });
    return bound.port;
  }

  function reloadTls(): void {
    if (tls === undefined) return;
    try {
      tlsServer?.setSecureContext(readTlsPair(tls));
    } catch (error) {
      logger.error(`${messageOf(error)}; the certificate in use stays`);
    }
  }

  function drain(): Promise<void> {
    drained ??= drainOnce();
    return drained;
  }

  function close(): Promise<void> {
    closed ??= closeOnce();
    return closed;
  }

  async function drainOnce(): Promise<void> {
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    if (inFlight > 0) {
      await new Promise<void>((resolve) => {
        onIdle = resolve;
      });
    }
    clearTimeout(timer);
    await close();
  }

  async function closeOnce(): Promise<void> {
    const ended = once(server, "close");
    server.close();
    handshakes.close();
    connections.closeIdle();
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    await ended;
    clearTimeout(timer);
    await status.close();
    await endpoint.close();
  }

  async function serveOne(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    const { socket, method = "GET", url = "/" } = request;
    const connection = connections.begin(socket);
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
    if (!exchange.isHealth) inFlight++;
    const counted = status.statistics.begin();
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
        report(request, response, { bytesSent, durationMs, complete, client: address, facts, isHit });
        release(exchange);
        resolve();
      };
      // A response that waits for its turn gets no "close" event.
      connection.onClose.add(end);
      response.once("close", end);
    });
    try {
      await turn;
      const body = new RequestBody(request, response, { idleMs: writeTimeoutMs, onReceived: counted.received });
      const result = await respond(exchange, address, body);
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
      if (!gone.signal.aborted) logger.error("a response was aborted", { path, error });
    }
  }

  async function respond(exchange: Exchange, address: string, body: RequestBody): Promise<ApiResponse> {
    const { request, connection, signal, facts, isHealth } = exchange;
    const { method = "GET", headers, rawHeaders } = request;
    try {
      signal.throwIfAborted();
      if (connection.isRejected) throw tooManyConnections();
      if (rawHeaders.length >= 2 * maxHeaders) {
        throw new ErrorResponse(431, "UNSUPPORTED", `the request has ${maxHeaders} header fields or more`);
      }
      const target = hosts.targetOf(request);
      if (isHealth) return withoutBodyOfHead(method, await healthResponse(target, health()));
      if (drained !== undefined) throw stopping();
      const header = (name: string) => {
        const value = headers[name];
        return Array.isArray(value) ? value.join(", ") : value;
      };
      const context = { method, target, header, signal, facts };
      // A member of the fleet asks for all its clients.
      if (!(await endpoint.isOfFleet(context))) {
        // A client that has gone meanwhile would be counted for ever.
        signal.throwIfAborted();
        exchange.client = clients.begin(address);
        if (exchange.client === undefined) throw tooManyRequests();
      }
      return await endpoint.respond(body.isEmpty ? context : { ...context, body: () => body.read() });
    } catch (error) {
      if (!(error instanceof ErrorResponse)) throw error;
      return withoutBodyOfHead(method, error.response);
    }
  }

  function health(): HealthState {
    return { checkReady, isDraining: drained !== undefined || closed !== undefined };
  }

  function report(
    request: IncomingMessage,
    response: ServerResponse,
    outcome: Pick<ServedRequest, "bytesSent" | "durationMs" | "complete" | "client" | "facts" | "isHit">,
  ): void {
    const { method = "GET", url = "/", headers } = request;
    const sent = response.headersSent ? response.statusCode : 0;
    try {
      onRequest({ method, path: printableTarget(url), status: sent, userAgent: headers["user-agent"], ...outcome });
    } catch (error) {
      logger.error("onRequest failed", { error });
    }
  }

  function release({ request: { socket }, connection, client, isHealth }: Exchange): void {
    client?.end();
    connections.end(connection);
    if (closed !== undefined && connection.inFlight === 0) socket.destroySoon();
    if (!isHealth && --inFlight === 0) onIdle?.();
  }

  return { listen, reloadTls, drain, close };
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
