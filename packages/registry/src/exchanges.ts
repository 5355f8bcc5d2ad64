import type { ContentEvent, EventOptions } from "@mote/core";
import type { Clock } from "./http/clock.js";
import { type ConnectionOptions, Connections } from "./http/connections.js";
import type { HostSet } from "./http/hosts.js";
import type { HttpRequest, HttpResponse } from "./http/http-transport.js";
import { secretsInQuery } from "./http/redact.js";
import { observed, type Traffic } from "./http/traffic.js";
import { isRedirect, resolveLocation } from "./redirects.js";
import { canBeSentAgain, type RegistryRequest, type RegistryResponse } from "./registry-request.js";
import { protocolError } from "./reports/protocol-error.js";
import type { Subject } from "./reports/subject.js";

export interface ExchangeRequest
  extends EventOptions,
    Pick<RegistryRequest, "method" | "url" | "headers" | "body" | "signal" | "bulk" | "reuse" | "spares"> {
  readonly subject: Subject;
  /** Headers for the URL's origin only. Undefined unless it is the registry or its token service. */
  readonly secretHeaders: Readonly<Record<string, string>> | undefined;
  /** Whether the body contains credentials, and must not be redirected. */
  readonly hasSecretBody?: boolean | undefined;
  readonly traffic?: Traffic | undefined;
}

interface ExchangesOptions {
  readonly connections: ConnectionOptions;
  readonly plainHttp: HostSet;
  readonly clock: Clock;
  report(event: ContentEvent, events: EventOptions): void;
}

const maxRedirects = 5;
/** Requests without a response are reported after this time. */
const reportAfterMs = 1000;

/** Sends each request once, follows redirects, and records which hosts responded or failed. */
export class Exchanges {
  readonly #options: ExchangesOptions;
  readonly #connections: Connections;
  readonly #failedAt = new WeakMap<Error, string>();
  readonly #responded = new Set<string>();

  /** @throws MOTE_CONFIG */
  constructor(options: ExchangesOptions) {
    this.#options = options;
    this.#connections = new Connections(options.connections);
  }

  /** Keeps secrets within their origin: after a redirect left it, none is sent again. */
  async send(request: ExchangeRequest): Promise<RegistryResponse> {
    const { method, body, signal, bulk, reuse, spares, subject, secretHeaders } = request;
    const { plainHttp } = this.#options;
    let url = request.url;
    let crossOrigin = secretHeaders === undefined;
    for (let hop = 0; ; hop++) {
      const headers = {
        "user-agent": "mote",
        // An encoded body would have another length and digest.
        "accept-encoding": "identity",
        ...(crossOrigin ? {} : secretHeaders),
        ...request.headers,
      };
      const sent = { method, url, headers, body, signal, bulk, reuse, spares, crossOrigin };
      const response = await this.#exchange(sent, request);
      const location = isRedirect(response.status, method) ? response.header("location") : undefined;
      if (location === undefined) {
        const secrets = hop > 0 || crossOrigin ? secretsInQuery(url) : [];
        return { ...response, url, redirectedTo: crossOrigin ? url.host : undefined, secrets };
      }
      response.discard();
      if (!canBeSentAgain(body)) throw protocolError(subject, "it redirects a stream, which can be sent once only");
      if (hop >= maxRedirects) throw protocolError(subject, `more than ${maxRedirects} redirects`);
      url = resolveLocation(location, url, { plainHttp, subject });
      crossOrigin ||= url.origin !== request.url.origin;
      if (crossOrigin && request.hasSecretBody) {
        const from = request.url.host;
        throw protocolError(subject, `${from} redirects credentials to ${url.host}; they are not sent there`);
      }
    }
  }

  /** Returns the host at which an exchange failed. */
  hostOf(error: unknown): string | undefined {
    return error instanceof Error ? this.#failedAt.get(error) : undefined;
  }

  /** Runs work whose errors belong to another host. */
  async at<T>(host: () => string | undefined, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      const name = host();
      if (error instanceof Error && name !== undefined) this.#failedAt.set(error, name);
      throw error;
    }
  }

  hasResponded(host: string): boolean {
    return this.#responded.has(host);
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  async #exchange(
    request: HttpRequest,
    events: Pick<ExchangeRequest, "subject" | "onEvent" | "traffic">,
  ): Promise<HttpResponse> {
    const { host } = request.url;
    const { registry, repository, digest } = events.subject;
    const report = () => this.#options.report({ type: "wait", registry, repository, digest, host }, events);
    const responded = this.#options.clock.after(reportAfterMs, report);
    try {
      const exchange = this.#connections.exchange(request);
      const response = await (events.traffic === undefined ? exchange : observed(exchange, request, events.traffic));
      this.#responded.add(host);
      return response;
    } catch (error) {
      if (error instanceof Error) this.#failedAt.set(error, host);
      throw error;
    } finally {
      responded();
    }
  }
}
