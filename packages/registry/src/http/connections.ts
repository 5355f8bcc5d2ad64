import { untilAborted } from "@mote/core";
import { DirectTransport } from "./direct-transport.js";
import { type HostSet, type Hosts, hostSet, isLoopback } from "./hosts.js";
import { cutError, type HttpRequest, type HttpResponse, type HttpTransport, longestMs } from "./http-transport.js";
import { type MinimumRate, withinTime, withMinimumRate } from "./minimum-rate.js";
import { networkFailure } from "./network-errors.js";
import { proxyFor } from "./proxy-settings.js";
import { ProxyTransport } from "./proxy-transport.js";
import { type CertificateOptions, Trusts } from "./trust.js";
import { Semaphore } from "./waiting.js";

const defaultConnectMs = 10_000;
const defaultAnswerMs = 30_000;
const defaultIdleMs = 60_000;

export interface ConnectionOptions extends CertificateOptions {
  /** Trust any certificate, for all hosts or these. */
  readonly insecure?: Hosts | undefined;
  /** Default 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Time limit in milliseconds for the head of a response to a GET or HEAD, once connected. Default: `idleTimeoutMs` if it is set, else 30,000. */
  readonly answerTimeoutMs?: number | undefined;
  /** Idle timeout until `MOTE_TIMEOUT`. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined;
  /** Minimum bytes per second of a response, averaged over `idleTimeoutMs`. Default 1024. 0: no minimum. */
  readonly minBytesPerSecond?: number | undefined;
  /** Requests per host that wait for a response concurrently. Default 16. */
  readonly concurrency?: number | undefined;
}

/** Keep-alive connections by origin, opened on first use. One exchange is one request and its response. */
export class Connections {
  readonly #options: ConnectionOptions;
  readonly #semaphores = new Map<string, Semaphore>();
  readonly #insecure: HostSet;
  readonly #trusts: Trusts;
  readonly #transports = new Map<string, HttpTransport>();
  readonly #byOrigin = new Map<string, HttpTransport>();
  #isClosed = false;

  /** @throws MOTE_CONFIG */
  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#trusts = new Trusts(options);
    this.#insecure = hostSet(options.insecure, "insecure");
  }

  /** Holds the host's semaphore until the response head: the reader of a body may be waiting for another request to the same host. */
  async exchange(request: HttpRequest): Promise<HttpResponse> {
    const { url, body, signal } = request;
    const streams = body !== undefined && !(body instanceof Uint8Array);
    const release = streams ? () => {} : await this.#enter(url.host, signal);
    try {
      const origin = `${url.origin} ${request.crossOrigin ?? false}`;
      const transport = this.#byOrigin.get(origin) ?? (await this.#transport(request));
      this.#byOrigin.set(origin, transport);
      const rate = this.#leastRate;
      return withMinimumRate(await withinTime(request, rate, (timed) => exchangeOn(transport, timed)), rate);
    } finally {
      release();
    }
  }

  get #timed() {
    const { connectTimeoutMs = defaultConnectMs, idleTimeoutMs = defaultIdleMs } = this.#options;
    const { answerTimeoutMs = this.#options.idleTimeoutMs ?? defaultAnswerMs } = this.#options;
    const withinTimers = (ms: number) => Math.min(ms, longestMs);
    return {
      ...this.#options,
      connectTimeoutMs: withinTimers(connectTimeoutMs),
      answerTimeoutMs: withinTimers(answerTimeoutMs),
      idleTimeoutMs: withinTimers(idleTimeoutMs),
    };
  }

  get #leastRate(): MinimumRate {
    const { minBytesPerSecond = 1024, idleTimeoutMs, connectTimeoutMs, answerTimeoutMs } = this.#timed;
    // Without an idle limit there is no minimum rate.
    const bytesPerSecond = idleTimeoutMs > 0 ? minBytesPerSecond : 0;
    return { bytesPerSecond, overMs: idleTimeoutMs, connectMs: connectTimeoutMs, answerMs: answerTimeoutMs };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#transports.values()].map((transport) => transport.close()));
  }

  /** Waits for a place among the requests to a host, if there is none. */
  #enter(host: string, signal: AbortSignal | undefined): (() => void) | Promise<() => void> {
    signal?.throwIfAborted();
    const semaphore = this.#semaphore(host);
    return semaphore.tryAcquire() ?? semaphore.acquire(signal);
  }

  #semaphore(host: string): Semaphore {
    const found = this.#semaphores.get(host) ?? new Semaphore(this.#options.concurrency ?? 16);
    this.#semaphores.set(host, found);
    return found;
  }

  async #transport({ url, crossOrigin = false }: HttpRequest): Promise<HttpTransport> {
    const proxy = isLoopback(url.host) ? undefined : proxyFor(url, process.env);
    const insecure = this.#insecure.has(url.host);
    const trust = await this.#trusts.of(url);
    const kind = `${url.protocol} ${proxy?.url.origin} ${proxy?.authorization} ${insecure} ${crossOrigin} ${trust.owner ?? ""}`;
    const opened = this.#transports.get(kind);
    if (opened !== undefined) return opened;
    const { connectTimeoutMs, idleTimeoutMs } = this.#timed;
    const tls = {
      ...(crossOrigin ? trust.anonymous : trust.known),
      ...(insecure ? { rejectUnauthorized: false } : {}),
    };
    const options = { tls, connectTimeoutMs, idleTimeoutMs };
    const proxyTls = proxy?.url.protocol === "https:" ? (await this.#trusts.of(proxy.url)).anonymous : {};
    const found = this.#transports.get(kind);
    if (found !== undefined) return found;
    if (this.#isClosed) throw cutError("the connections are closed");
    const transport =
      proxy === undefined ? new DirectTransport(options) : new ProxyTransport({ ...options, proxyTls }, proxy);
    this.#transports.set(kind, transport);
    return transport;
  }
}

/** A connection waiting for a proxy ignores the signal; all others end by it. */
async function exchangeOn(transport: HttpTransport, request: HttpRequest): Promise<HttpResponse> {
  const exchange = transport.exchange(request);
  if (transport.via === undefined) return exchange;
  try {
    return await untilAborted(exchange, request.signal);
  } catch (error) {
    if (request.signal?.aborted) exchange.then(({ discard }) => discard()).catch(() => {});
    // Keep the caller's abort reason unchanged.
    const isOurs = !request.signal?.aborted || networkFailure(error) === "timeout";
    if (transport.via !== undefined && isOurs && error instanceof Error) Object.assign(error, { via: transport.via });
    throw error;
  }
}
