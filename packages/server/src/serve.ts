import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type Logger, MoteError, silentLogger } from "@mote/core";
import type { Answer } from "./answer.js";
import { Endpoint, type EndpointOptions } from "./endpoint.js";

/** A request that has ended, as it was on the wire. */
export interface ServedRequest {
  readonly method: string;
  /** Path and query, as they were asked for. */
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
  const { host = "127.0.0.1", port = 0, signal } = options;
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
  /** How many requests of each connection are in flight. */
  readonly #connections = new Map<Socket, number>();
  #closed: Promise<void> | undefined;

  constructor(options: ServeOptions) {
    this.#endpoint = new Endpoint(options);
    this.#logger = options.logger ?? silentLogger;
    this.#graceMs = options.graceMs ?? 10_000;
    this.#onRequest = options.onRequest ?? (() => {});
    this.#server = createServer((request, response) => void this.#serveOne(request, response));
    this.#server.on("connection", (socket) => {
      this.#connections.set(socket, 0);
      socket.once("close", () => this.#connections.delete(socket));
    });
  }

  async listen(host: string, port: number): Promise<number> {
    try {
      this.#server.listen({ host, port });
      await once(this.#server, "listening");
    } catch (cause) {
      throw cannotListen(host, port, cause);
    }
    return (this.#server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeOnce();
    return this.#closed;
  }

  async #closeOnce(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const [socket, inFlight] of this.#connections) if (inFlight === 0) socket.destroy();
    const timer = setTimeout(() => this.#server.closeAllConnections(), this.#graceMs);
    await closed;
    clearTimeout(timer);
    await this.#endpoint.close();
  }

  async #serveOne(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    const { socket } = request;
    this.#connections.set(socket, (this.#connections.get(socket) ?? 0) + 1);
    const gone = new AbortController();
    let bytesSent = 0;
    // Writing to a connection that has just gone is no fault: `close` tells.
    response.on("error", () => {});
    response.once("close", () => {
      const complete = response.writableFinished;
      if (!complete) gone.abort(new Error("the client went away"));
      this.#report(request, response, { bytesSent, durationMs: performance.now() - startedAt, complete });
      this.#release(socket);
    });
    try {
      const answer = await this.#answer(request, gone.signal);
      await send(answer, response, gone.signal, (bytes) => {
        bytesSent += bytes;
      });
    } catch (error) {
      // The length was announced: breaking the connection is the one way to say that this is not the whole.
      response.destroy();
      if (!gone.signal.aborted) this.#logger.error("a response was broken off", { path: request.url, error });
    }
  }

  async #answer(request: IncomingMessage, signal: AbortSignal): Promise<Answer> {
    const { method = "GET", url = "/", headers } = request;
    if (!URL.canParse(url, "http://localhost")) return { status: 400, headers: { "content-length": "0" } };
    const header = (name: string) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    };
    return this.#endpoint.answer({ method, url: new URL(url, "http://localhost"), header, signal });
  }

  #report(
    request: IncomingMessage,
    response: ServerResponse,
    wire: Pick<ServedRequest, "bytesSent" | "durationMs" | "complete">,
  ): void {
    const { method = "GET", url: path = "/" } = request;
    const status = response.headersSent ? response.statusCode : 0;
    try {
      this.#onRequest({ method, path, status, ...wire });
    } catch (error) {
      this.#logger.error("onRequest failed", { error });
    }
  }

  #release(socket: Socket): void {
    const inFlight = (this.#connections.get(socket) ?? 1) - 1;
    if (!socket.destroyed) this.#connections.set(socket, inFlight);
    if (this.#closed !== undefined && inFlight === 0) socket.destroySoon();
  }
}

/** Writes the answer no faster than the client takes it. */
async function send(
  { status, headers, body }: Answer,
  response: ServerResponse,
  signal: AbortSignal,
  count: (bytes: number) => void,
): Promise<void> {
  try {
    signal.throwIfAborted();
    // What a refused request still has to say is not waited for.
    response.writeHead(status, status === 405 ? { ...headers, connection: "close" } : headers);
    if (body instanceof Uint8Array) {
      count(body.byteLength);
      response.write(body);
    } else if (body !== undefined) {
      for await (const chunk of body.chunks) {
        signal.throwIfAborted();
        count(chunk.byteLength);
        if (!response.write(chunk)) await once(response, "drain", { signal });
      }
    }
    response.end();
  } finally {
    if (body !== undefined && !(body instanceof Uint8Array)) await body.close();
  }
}

function cannotListen(host: string, port: number, cause: unknown): MoteError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return new MoteError("MOTE_LISTEN", `cannot listen on ${host} port ${port}: ${whatToDo(code)}`, {
    cause,
    details: { host, port, reason: code },
  });
}

function whatToDo(code: unknown): string {
  switch (code) {
    case "EADDRINUSE":
      return "the port is taken; choose another, or 0 for a free one";
    case "ERR_SOCKET_BAD_PORT":
      return "a port is a number from 0 to 65535";
    case "EACCES":
      return "this user may not; choose a port from 1024 on";
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return "the address is not one of this machine's; try 127.0.0.1";
    default:
      return `the system says ${String(code)}`;
  }
}
