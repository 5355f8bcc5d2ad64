import { MoteError } from "@mote/core";
import { DirectEngine } from "./direct-engine.js";
import { type HostSet, type Hosts, hostSet } from "./hosts.js";
import type { EngineOptions, HttpAnswer, HttpEngine, HttpRequest } from "./http-exchange.js";
import { atLeast, type LeastRate, withinTime } from "./least-rate.js";
import { isLoopback } from "./place.js";
import { ProxyEngine, proxyIsSet } from "./proxy-engine.js";
import { Turnstile } from "./waiting.js";

export interface ConnectionOptions {
  /** Certificate authorities in PEM, in place of the system's. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** A client's certificate and key in PEM, for registries and token services; not shown to where a redirect leads. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** Trust any certificate, of all hosts or of these. */
  readonly insecure?: Hosts | undefined;
  /** Default 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long nothing may come before it is `MOTE_TIMEOUT`. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined;
  /**
   * Bytes that an answer has to bring in each second at least, on average over `idleTimeoutMs`; what is slower is `MOTE_TIMEOUT`.
   * Default 1024. 0: no bound.
   */
  readonly minBytesPerSecond?: number | undefined;
  /** Requests to one host that wait for their answer at the same time. Default 16. */
  readonly concurrency?: number | undefined;
  /** Take no proxy from `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`. Loopback addresses are never proxied. */
  readonly ignoreProxy?: boolean | undefined;
}

/** Connections by origin, kept alive, opened when they are first used. One exchange is one request and its answer. */
export class Connections {
  readonly #options: ConnectionOptions;
  readonly #turnstiles = new Map<string, Turnstile>();
  readonly #insecure: HostSet;
  #checking: Promise<void> | undefined;
  readonly #engines = new Map<string, HttpEngine>();

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
    const { url, body, signal } = request;
    const streams = body !== undefined && !(body instanceof Uint8Array);
    const leave = streams ? () => {} : await this.#turnstile(url.host).enter(signal);
    try {
      await this.#checked();
      const rate = this.#leastRate;
      return atLeast(await withinTime(request, rate, (timed) => this.#engine(timed).exchange(timed)), rate);
    } finally {
      leave();
    }
  }

  get #timed() {
    const { connectTimeoutMs = 10_000, idleTimeoutMs = 60_000 } = this.#options;
    return { ...this.#options, connectTimeoutMs, idleTimeoutMs };
  }

  get #leastRate(): LeastRate {
    const { minBytesPerSecond = 1024, idleTimeoutMs, connectTimeoutMs } = this.#timed;
    return { bytesPerSecond: minBytesPerSecond, overMs: idleTimeoutMs, connectMs: connectTimeoutMs };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#engines.values()].map((engine) => engine.close()));
  }

  #turnstile(host: string): Turnstile {
    const found = this.#turnstiles.get(host) ?? new Turnstile(this.#options.concurrency ?? 16);
    this.#turnstiles.set(host, found);
    return found;
  }

  /** What is no certificate would else look like a connection that breaks. @throws MOTE_CONFIG */
  #checked(): Promise<void> | undefined {
    const { ca, cert, key } = this.#options;
    if ((ca ?? cert ?? key) !== undefined) this.#checking ??= assertUsable(tlsOptions(this.#options));
    return this.#checking;
  }

  #engine({ url, isAway = false }: HttpRequest): HttpEngine {
    const proxied = !this.#options.ignoreProxy && !isLoopback(url.host) && proxyIsSet();
    const insecure = this.#insecure.has(url.host);
    const kind = `${proxied} ${insecure} ${isAway}`;
    const opened = this.#engines.get(kind);
    if (opened !== undefined) return opened;
    const { connectTimeoutMs, idleTimeoutMs } = this.#timed;
    const { cert, key, ...anonymous } = tlsOptions(this.#options);
    const identity = isAway ? {} : { ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
    const tls = { ...anonymous, ...identity, ...(insecure ? { rejectUnauthorized: false } : {}) };
    const options = { tls, connectTimeoutMs, idleTimeoutMs };
    const engine = proxied ? new ProxyEngine(options) : new DirectEngine(options);
    this.#engines.set(kind, engine);
    return engine;
  }
}

function tlsOptions({ ca, cert, key }: ConnectionOptions): EngineOptions["tls"] {
  return {
    ...(ca === undefined ? {} : { ca: isList(ca) ? ca.map(asText) : asText(ca) }),
    ...(cert === undefined ? {} : { cert: asText(cert) }),
    ...(key === undefined ? {} : { key: asText(key) }),
  };
}

async function assertUsable({ ca, ...identity }: EngineOptions["tls"]): Promise<void> {
  const { createSecureContext } = await import("node:tls");
  try {
    // OpenSSL takes a list of authorities that has none in it, and then trusts nobody.
    for (const one of [ca ?? []].flat())
      if (!/-----BEGIN (?:TRUSTED )?CERTIFICATE-----/.test(one)) throw new Error("no certificate");
    createSecureContext({ ...identity, ...(ca === undefined ? {} : { ca: [ca].flat() }) });
  } catch (cause) {
    const message =
      "the certificates of the settings (ca, cert, key) cannot be used; check that they are PEM and belong together";
    throw new MoteError("MOTE_CONFIG", message, { cause });
  }
}

function asText(pem: string | Uint8Array): string {
  return typeof pem === "string" ? pem : new TextDecoder().decode(pem);
}

function isList(ca: NonNullable<ConnectionOptions["ca"]>): ca is readonly (string | Uint8Array)[] {
  return Array.isArray(ca);
}
