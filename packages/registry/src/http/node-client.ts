import http, { type ClientRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type Duplex, pipeline, Readable } from "node:stream";
import {
  asError,
  bodyBufferBytes,
  cutError,
  type HttpRequest,
  type HttpResponse,
  keepAliveMs,
  type TransportOptions,
  timeoutError,
  worthReadingBytes,
} from "./http-transport.js";
import { Silence } from "./silence.js";

/** Node's own client. */
export class NodeClient {
  readonly #options: TransportOptions;
  #plain: http.Agent | undefined;
  #secure: Promise<http.Agent> | undefined;
  #closed = false;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  async exchange(request: HttpRequest): Promise<HttpResponse> {
    const agent = request.url.protocol === "https:" ? await this.#secureAgent() : this.#plainAgent();
    for (;;) {
      if (this.#closed) throw cutError("the connections are closed");
      const exchange = new Exchange(request, { agent }, this.#options);
      try {
        return httpResponse(await exchange.response(), exchange.over);
      } catch (error) {
        if (!exchange.wasStale) throw error;
      }
    }
  }

  /** Reads a response that arrived on another connection, from its head on. */
  async replay(request: HttpRequest, received: Duplex): Promise<HttpResponse> {
    const exchange = new Exchange(request, { createConnection: () => received }, this.#options);
    // Otherwise node:http only reports a cut response.
    received.once("error", (error) => exchange.end(error));
    return httpResponse(await exchange.response(), exchange.over);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#plain?.destroy();
    (await this.#secure)?.destroy();
  }

  #plainAgent(): http.Agent {
    this.#plain ??= new http.Agent(agentOptions);
    return this.#plain;
  }

  #secureAgent(): Promise<http.Agent> {
    this.#secure ??= import("node:https").then(({ Agent }) => new Agent({ ...agentOptions, ...this.#options.tls }));
    return this.#secure;
  }
}

const agentOptions = { keepAlive: true, timeout: keepAliveMs, highWaterMark: bodyBufferBytes } as const;

/** An agent that connects, or a connection. */
type Connecting = { readonly agent: http.Agent } | { readonly createConnection: () => Duplex };

/** One request and its response, with timeouts and the caller's signal. */
class Exchange {
  readonly #request: HttpRequest;
  readonly #options: TransportOptions;
  readonly #sent: ClientRequest;
  /** Resolves when the connection is free for another request, or closed. */
  readonly over: Promise<void>;
  #response: IncomingMessage | undefined;
  readonly #silence: Silence;
  #timedOut = false;

  constructor(request: HttpRequest, by: Connecting, options: TransportOptions) {
    const { url, method, headers, body } = request;
    this.#request = request;
    this.#options = options;
    this.#silence = new Silence(options.idleTimeoutMs);
    this.#sent = http.request({
      ...by,
      // Node expects an IPv6 address without brackets.
      host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: url.port === "" ? undefined : url.port,
      path: `${url.pathname}${url.search}`,
      method,
      headers: body instanceof Uint8Array ? { ...headers, "content-length": String(body.byteLength) } : headers,
      // A connection with its own idle limit is passed in.
      ...("agent" in by ? { protocol: url.protocol, timeout: this.#silence.partMs } : {}),
    });
    this.over = new Promise((resolve) => this.#sent.once("close", resolve));
  }

  /** The head of the response. */
  async response(): Promise<IncomingMessage> {
    const { signal, body, headLimit } = this.#request;
    headLimit?.onExceeded((error) => this.#giveUp(error));
    const onAbort = () => this.end(asError(signal?.reason));
    signal?.addEventListener("abort", onAbort, { once: true });
    const sent = this.#sent;
    sent.once("close", () => signal?.removeEventListener("abort", onAbort));
    sent.once("socket", (socket) => {
      this.#watchConnecting(socket);
      // The request's own event fires only once.
      const onTimeout = () => this.#onSilence(socket);
      socket.on("timeout", onTimeout);
      sent.once("close", () => socket.off("timeout", onTimeout));
    });
    const responded = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once("response", resolve);
      // Also after the response, which reports the error to its reader.
      sent.on("error", reject);
      sent.once("close", () => reject(cutError("the connection was closed without a response")));
    });
    if (signal?.aborted) onAbort();
    else if (body === undefined || body instanceof Uint8Array) sent.end(body);
    else pipeline(Readable.from(body, { objectMode: false }), sent, () => {});
    const response = await responded;
    this.#response = response;
    // A host that responds early does not need the rest of the request.
    response.once("end", () => {
      if (!sent.writableFinished) sent.destroy();
    });
    // There is no body: an immediate next request can reuse the connection.
    if (this.#request.method === "HEAD") {
      response.resume();
      await this.over;
    }
    return response;
  }

  /** RFC 9112, section 9.3.1: a read may be repeated if an idle connection was closed while it was sent. */
  get wasStale(): boolean {
    const { method, signal } = this.#request;
    const reads = method === "GET" || method === "HEAD";
    return reads && this.#sent.reusedSocket && this.#response === undefined && !signal?.aborted && !this.#timedOut;
  }

  #watchConnecting(socket: Socket): void {
    if (!socket.connecting) return;
    const { connectTimeoutMs } = this.#options;
    const timer = setTimeout(() => {
      this.end(timeoutError(`no connection within ${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
    const stop = () => clearTimeout(timer);
    socket.once(this.#request.url.protocol === "https:" ? "secureConnect" : "connect", stop);
    socket.once("close", stop);
  }

  /** Called after each part of the timeout without traffic. Ignored while the reader does not read the body. */
  #onSilence(socket: Socket): void {
    const response = this.#response;
    const isHostSilent = response === undefined || response.readableLength === 0;
    if (!isHostSilent) this.#silence.restart();
    if (isHostSilent && this.#silence.isTooLong(socket)) {
      this.#giveUp(timeoutError(`nothing came for ${this.#options.idleTimeoutMs} ms`));
    } else socket.setTimeout(this.#silence.partMs);
  }

  #giveUp(error: Error): void {
    this.#timedOut = true;
    this.end(error);
  }

  end(error: Error): void {
    this.#response?.destroy(error);
    this.#sent.destroy(error);
  }
}

function httpResponse(response: IncomingMessage, over: Promise<void>): HttpResponse {
  // Its reader may be gone by then.
  response.on("error", () => {});
  const values = (name: string): readonly string[] => response.headersDistinct[name] ?? [];
  return {
    status: response.statusCode ?? 0,
    header: (name) => values(name)[0],
    headers: values,
    body: chunksOf(response, over),
    discard: () => discard(response),
    destroy: (error) => response.destroy(error),
  };
}

async function* chunksOf(response: IncomingMessage, over: Promise<void>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of response.iterator({ destroyOnReturn: false })) yield chunk;
    await over;
  } finally {
    discard(response);
  }
}

function discard(response: IncomingMessage): void {
  if (response.readableEnded || response.destroyed) return;
  let left = worthReadingBytes;
  response.on("data", (chunk: Uint8Array) => {
    left -= chunk.byteLength;
    if (left < 0) response.destroy();
  });
  response.resume();
}
