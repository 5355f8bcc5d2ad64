import { isIP } from "node:net";
import { Readable } from "node:stream";
import { untilAborted } from "@mote/core";
import type { buildConnector, Dispatcher } from "undici";
import {
  bodyBufferBytes,
  type HttpRequest,
  type HttpResponse,
  type HttpTransport,
  type TransportOptions,
  worthReadingBytes,
} from "./http-transport.js";
import { errorCodes } from "./network-errors.js";
import type { ProxyServer } from "./proxy-settings.js";

interface ProxyTransportOptions extends TransportOptions {
  /** TLS settings for the proxy itself. */
  readonly proxyTls: TransportOptions["tls"];
}

/** A proxy: forwards plain HTTP requests (RFC 9112, section 3.2.2), as many allow tunnels only to port 443; tunnels TLS. */
export class ProxyTransport implements HttpTransport {
  readonly #options: ProxyTransportOptions;
  readonly #proxy: ProxyServer;
  #plain: Promise<Dispatcher> | undefined;
  #tunnels: Promise<Dispatcher> | undefined;
  /** By origin: resolves once a tunnel exists, rejects if the proxy refuses it. */
  readonly #firstTunnels = new Map<string, Promise<void>>();

  constructor(options: ProxyTransportOptions, proxy: ProxyServer) {
    this.#options = options;
    this.#proxy = proxy;
  }

  async exchange(request: HttpRequest): Promise<HttpResponse> {
    const { headLimit, signal } = request;
    if (headLimit === undefined) return this.#exchange(request);
    const late = new AbortController();
    headLimit.onExceeded((error) => late.abort(error));
    const either = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
    const exchange = this.#exchange({ ...request, signal: either });
    // A connection waiting for the proxy ignores the signal.
    late.signal.addEventListener("abort", () => exchange.then(({ discard }) => discard()).catch(() => {}));
    return untilAborted(exchange, late.signal);
  }

  async #exchange(request: HttpRequest): Promise<HttpResponse> {
    const { url, method, headers, body, signal } = request;
    const { url: proxy, authorization } = this.#proxy;
    const streams = body !== undefined && !(body instanceof Uint8Array);
    const sent = {
      method,
      ...(body === undefined ? {} : { body: streams ? Readable.from(body, { objectMode: false }) : body }),
      ...(signal === undefined ? {} : { signal }),
      highWaterMark: bodyBufferBytes,
    };
    const path = `${url.pathname}${url.search}`;
    try {
      if (url.protocol === "https:") {
        this.#tunnels ??= this.#openTunnels();
        const tunnels = await this.#tunnels;
        return await this.#afterFirst(url, signal, async () =>
          httpResponse(await tunnels.request({ ...sent, origin: url.origin, path, headers })),
        );
      }
      this.#plain ??= this.#openPlain();
      const login = authorization === undefined ? {} : { "proxy-authorization": authorization };
      const response = await (await this.#plain).request({
        ...sent,
        origin: proxy.origin,
        path: `${url.origin}${path}`,
        headers: { ...headers, ...login, host: url.host },
      });
      if (response.statusCode !== 407) return httpResponse(response);
      response.body.on("error", () => {}).destroy();
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#explain(error, url) ?? error;
    }
    throw this.#errorResponse(url, 407);
  }

  async close(): Promise<void> {
    for (const opened of [this.#plain, this.#tunnels]) await (await opened?.catch(() => undefined))?.destroy();
  }

  /** Waits for the first request to a host, so that a proxy that refuses a tunnel gets one request for it. */
  async #afterFirst<T>(url: URL, signal: AbortSignal | undefined, exchange: () => Promise<T>): Promise<T> {
    const first = this.#firstTunnels.get(url.origin);
    if (first !== undefined) {
      await untilAborted(first, signal);
      return exchange();
    }
    const exchanging = exchange();
    const opened = exchanging.then(
      () => {},
      (error: unknown) => {
        this.#firstTunnels.delete(url.origin);
        // Ignore errors of this request alone.
        if (this.#explain(error, url) !== undefined) throw error;
      },
    );
    opened.catch(() => {});
    this.#firstTunnels.set(url.origin, opened);
    return exchanging;
  }

  async #openPlain(): Promise<Dispatcher> {
    const { Agent, buildConnector } = await loadUndici();
    return new Agent({ ...this.#timeouts, connect: this.#connector(buildConnector) });
  }

  async #openTunnels(): Promise<Dispatcher> {
    const { Pool, ProxyAgent, buildConnector } = await loadUndici();
    const { connectTimeoutMs: timeout, tls } = this.#options;
    const { url, authorization } = this.#proxy;
    return new ProxyAgent({
      ...this.#timeouts,
      uri: url.href,
      ...(authorization === undefined ? {} : { token: authorization }),
      requestTls: { timeout, ...tls },
      clientFactory: (origin, options) => new Pool(origin, { ...options, connect: this.#connector(buildConnector) }),
    });
  }

  get #timeouts() {
    const { idleTimeoutMs } = this.#options;
    return { headersTimeout: idleTimeoutMs, bodyTimeout: idleTimeoutMs };
  }

  /** Connects to the proxy, without a client certificate and with the proxy's server name. */
  #connector(build: typeof buildConnector): buildConnector.connector {
    const { connectTimeoutMs: timeout, proxyTls } = this.#options;
    const connect = build({ timeout, ...proxyTls });
    const { hostname } = this.#proxy.url;
    // Empty: IP addresses are not sent (RFC 6066, section 3).
    const servername = isIP(hostname.replace(/^\[|\]$/g, "")) === 0 ? hostname : "";
    return (options, done) => connect({ ...options, servername }, done);
  }

  /** Recognizes errors of the proxy: it does not respond, or refuses a tunnel. */
  #explain(error: unknown, url: URL): Error | undefined {
    const status = error instanceof Error ? /^Proxy response \((\d+)\)/.exec(error.message)?.[1] : undefined;
    if (status !== undefined) return this.#errorResponse(url, Number(status), error);
    const [code = ""] = errorCodes(error).filter((one) => unreachable.test(one));
    if (code === "") return undefined;
    return proxyError(
      `${this.via} cannot be reached [${code}]; check it, or except ${url.hostname} by NO_PROXY`,
      error,
    );
  }

  #errorResponse(url: URL, status: number, cause?: unknown): Error {
    const { protocol } = this.#proxy.url;
    const advice =
      status === 407
        ? `wants a user name and password, or refuses them [407]; write them as ${protocol}//USER:PASSWORD@HOST:PORT`
        : status >= 500
          ? `cannot reach ${url.host} [${status}]; try again later, or except ${url.hostname} by NO_PROXY`
          : `refuses to connect to ${url.host} [${status}]; ask its operator, or except ${url.hostname} by NO_PROXY`;
    return proxyError(`${this.via} ${advice}`, cause);
  }

  get via(): string {
    const { url, variable } = this.#proxy;
    return `the proxy ${url.host} (${variable})`;
  }
}

const unreachable = /^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ENOTFOUND|EAI_AGAIN)$/;

function proxyError(message: string, cause: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code: "EPROXY" });
}

/** Loaded only if a proxy is set: loading takes longer than a warm pull. Bundled, everything is in its default export. */
async function loadUndici() {
  return (await import("undici")).default;
}

function httpResponse(response: Dispatcher.ResponseData): HttpResponse {
  const { statusCode: status, headers, body } = response;
  const values = (name: string): readonly string[] => {
    const value = headers[name];
    return value === undefined ? [] : typeof value === "string" ? [value] : value;
  };
  return {
    status,
    header: (name) => values(name)[0],
    headers: values,
    body,
    discard: () => {
      // No caller waits: this body's errors do not matter.
      body.on("error", () => {});
      body.dump({ limit: worthReadingBytes }).catch(() => {});
    },
    destroy: (error) => {
      body.destroy(error);
    },
  };
}
