import { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { type HostSet, type Hosts, hostSet } from "./hosts.js";
import { isLoopback } from "./place.js";
import { Turnstile } from "./waiting.js";

export interface ConnectionOptions {
  /** Certificate authorities in PEM, in place of the system's. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** A client's certificate and key in PEM. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** Trust any certificate, of all hosts or of these. */
  readonly insecure?: Hosts | undefined;
  /** Default 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long nothing may come before it is `MOTE_TIMEOUT`. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined;
  /** Requests to one host that wait for their answer at the same time. Default 8. */
  readonly concurrency?: number | undefined;
  /** Take no proxy from `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`. Loopback addresses are never proxied. */
  readonly ignoreProxy?: boolean | undefined;
}

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** The first value of a header; names in lower case. */
  header(name: string): string | undefined;
  headers(name: string): readonly string[];
  /** To be read once, or let go by `discard`. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets the rest of the body go. */
  discard(): void;
}

/** A body up to this many bytes is read to its end rather than cut, because that keeps its connection. */
const worthReading = 64 * 1024;

/** Connections by origin, kept alive, opened when they are first used. One exchange is one request and its answer. */
export class Connections {
  readonly #options: ConnectionOptions;
  readonly #turnstiles = new Map<string, Turnstile>();
  readonly #insecure: HostSet;
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>();

  /** @throws MOTE_CONFIG */
  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#insecure = hostSet(options.insecure, "insecure");
  }

  /**
   * A place among the host's requests is held until the answer's head has come, and no longer: whoever streams a body may be
   * waiting for another request to the same host.
   */
  async exchange(request: HttpRequest): Promise<HttpAnswer> {
    const { url, method, headers, body, signal } = request;
    const streams = body !== undefined && !(body instanceof Uint8Array);
    const leave = streams ? () => {} : await this.#turnstile(url.host).enter(signal);
    try {
      const [dispatcher, { default: send }] = await Promise.all([
        this.#dispatcher(url),
        import("undici/lib/api/api-request.js"),
      ]);
      const answer = await send.call(dispatcher, {
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers,
        ...(body === undefined ? {} : { body: streams ? Readable.from(body, { objectMode: false }) : body }),
        ...(signal === undefined ? {} : { signal }),
        highWaterMark: 512 * 1024,
      });
      return httpAnswer(answer);
    } finally {
      leave();
    }
  }

  async close(): Promise<void> {
    const opened = await Promise.all(this.#dispatchers.values());
    await Promise.all(opened.map((dispatcher) => dispatcher.destroy()));
  }

  #turnstile(host: string): Turnstile {
    const found = this.#turnstiles.get(host) ?? new Turnstile(this.#options.concurrency ?? 8);
    this.#turnstiles.set(host, found);
    return found;
  }

  #dispatcher(url: URL): Promise<Dispatcher> {
    const proxied = !this.#options.ignoreProxy && !isLoopback(url.host) && proxyIsSet();
    const insecure = this.#insecure.has(url.host);
    const kind = `${proxied} ${insecure}`;
    const opened = this.#dispatchers.get(kind) ?? (proxied ? this.#openProxied(insecure) : this.#openDirect(insecure));
    this.#dispatchers.set(kind, opened);
    return opened;
  }

  async #openDirect(insecure: boolean): Promise<Dispatcher> {
    const { default: Agent } = await import("undici/lib/dispatcher/agent.js");
    return new Agent({ ...this.#timeouts(), connect: this.#connect(insecure) });
  }

  async #openProxied(insecure: boolean): Promise<Dispatcher> {
    const { EnvHttpProxyAgent } = await import("undici");
    const connect = this.#connect(insecure);
    return new EnvHttpProxyAgent({
      ...this.#timeouts(),
      connect,
      requestTls: connect,
      proxyTls: { timeout: connect.timeout },
    });
  }

  #timeouts(): { headersTimeout: number; bodyTimeout: number } {
    const idle = this.#options.idleTimeoutMs ?? 60_000;
    return { headersTimeout: idle, bodyTimeout: idle };
  }

  #connect(insecure: boolean) {
    const { ca, cert, key, connectTimeoutMs } = this.#options;
    return {
      timeout: connectTimeoutMs ?? 10_000,
      ...(ca === undefined ? {} : { ca: isList(ca) ? ca.map(asText) : asText(ca) }),
      ...(cert === undefined ? {} : { cert: asText(cert) }),
      ...(key === undefined ? {} : { key: asText(key) }),
      ...(insecure ? { rejectUnauthorized: false } : {}),
    };
  }
}

function httpAnswer(answer: Dispatcher.ResponseData): HttpAnswer {
  const { statusCode: status, headers, body } = answer;
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
      // Nobody waits for it: a body that breaks off now has nothing more to say.
      body.on("error", () => {});
      body.dump({ limit: worthReading }).catch(() => {});
    },
  };
}

function proxyIsSet(): boolean {
  const { env } = process;
  return Boolean(env.http_proxy ?? env.HTTP_PROXY ?? env.https_proxy ?? env.HTTPS_PROXY);
}

function asText(pem: string | Uint8Array): string {
  return typeof pem === "string" ? pem : new TextDecoder().decode(pem);
}

function isList(ca: NonNullable<ConnectionOptions["ca"]>): ca is readonly (string | Uint8Array)[] {
  return Array.isArray(ca);
}
