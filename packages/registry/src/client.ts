import { setMaxListeners } from "node:events";
import { type ContentEvent, type EventOptions, type Logger, MoteError, silentLogger } from "@mote/core";
import type { CredentialSource } from "./auth/credentials.js";
import type { TokenRequest } from "./auth/token.js";
import { AuthorizedExchanges } from "./authorized-exchanges.js";
import { responseError } from "./error-response.js";
import { Exchanges } from "./exchanges.js";
import { type Clock, systemClock } from "./http/clock.js";
import type { ConnectionOptions } from "./http/connections.js";
import { collectDocument } from "./http/content-coding.js";
import { type HostSet, type Hosts, hostSet } from "./http/hosts.js";
import { secretsIn } from "./http/redact.js";
import { isTransientStatus, type RetryPolicy } from "./http/retry.js";
import { TimeLimit } from "./http/time-limit.js";
import { canBeSentAgain, isRead, type RegistryRequest, type RegistryResponse } from "./registry-request.js";
import { type Repetition, repeatedly } from "./repeat.js";
import { namingSubject, type Subject } from "./reports/subject.js";

export interface RegistryClientOptions extends ConnectionOptions {
  /** Default: none; all requests are anonymous. */
  readonly credentials?: CredentialSource | undefined;
  /** Use plain HTTP for all registries, or these. Loopback registries always use plain HTTP. */
  readonly plainHttp?: Hosts | undefined;
  /** Additional headers, for registries only: not sent to the target of a redirect. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Retries after a temporary error. Default 4. */
  readonly retries?: number | undefined;
  /** The delay before the first retry, in milliseconds; doubles up to 10 s. Default 250. */
  readonly retryDelayMs?: number | undefined;
  /** Receives the events of all requests. Each method has an option for its own. */
  readonly onEvent?: EventOptions["onEvent"];
  readonly logger?: Logger | undefined;
  /** The clock for retries and time limits. Default: the system's. */
  readonly clock?: Clock | undefined;
}

const maxTokenBytes = 1024 * 1024;

/** Shared by repositories: connections, credentials and tokens, retries, and the limit on requests per host. */
export class RegistryClient implements AsyncDisposable {
  /** Hosts reached over plain HTTP, besides loopback addresses. */
  readonly plainHttp: HostSet;
  readonly policy: RetryPolicy;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly #onEvent: EventOptions["onEvent"];
  readonly #exchanges: Exchanges;
  readonly #authorized: AuthorizedExchanges;
  readonly #closing = new AbortController();

  /** @throws MOTE_CONFIG */
  constructor(options: RegistryClientOptions = {}) {
    const { credentials, headers } = options;
    this.logger = options.logger ?? silentLogger;
    this.clock = options.clock ?? systemClock;
    this.plainHttp = hostSet(options.plainHttp, "plainHttp");
    this.policy = {
      retries: options.retries ?? 4,
      silentRetries: 2,
      timeoutRetries: 1,
      firstDelayMs: options.retryDelayMs ?? 250,
      longestDelayMs: 10_000,
      longestRetryAfterMs: 60_000,
    };
    this.#onEvent = options.onEvent;
    const report = this.report.bind(this);
    const { clock, plainHttp } = this;
    this.#exchanges = new Exchanges({ connections: options, plainHttp, clock, report });
    const exchangeToken = (request: TokenRequest) => this.#exchangeToken(request);
    this.#authorized = new AuthorizedExchanges({ exchanges: this.#exchanges, credentials, headers, exchangeToken });
  }

  /**
   * Sends a request with the registry's login, and retries by the policy, even if the connection breaks while `take` reads the body.
   * @throws MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_NOT_FOUND · MOTE_RATE_LIMITED · MOTE_REGISTRY · MOTE_UNREACHABLE · MOTE_TIMEOUT
   */
  async send<T>(request: RegistryRequest, take: (response: RegistryResponse) => T | Promise<T>): Promise<T> {
    const { access, what, signal, until, accepts = isSuccess } = request;
    const { subject } = access;
    if (this.#closing.signal.aborted) throw closed();
    // Many listeners share a caller's signal; Node would warn of a leak from the eleventh.
    if (signal !== undefined) setMaxListeners(0, signal);
    using limit = until === undefined ? undefined : new TimeLimit(this.clock, until, signal);
    const limited = { ...request, signal: limit?.signal ?? signal };
    return await repeatedly({ ...this.#repetition(request, access), signal, limit }, async () => {
      const response = await this.#authorized.send(limited);
      if (accepts(response.status)) return { result: await take(response) };
      const error = () => responseError(response, subject, { what, writes: !isRead(request) });
      return { response, url: response.url, error };
    });
  }

  /** Reports an event to the caller's listener, the client's own, and the logger. */
  report(event: ContentEvent, { onEvent }: EventOptions): void {
    this.logger.info(eventNames[event.type], event);
    this.#onEvent?.(event);
    onEvent?.(event);
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    this.#closing.abort(closed());
    await this.#exchanges.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #repetition(
    request: Pick<RegistryRequest, "url" | "what" | "body" | "repeat" | "policy">,
    { subject, onEvent }: EventOptions & { readonly subject: Subject },
  ): Omit<Repetition, "signal" | "limit"> {
    const { url, what, body, repeat, policy = this.policy } = request;
    const { registry, repository, digest } = subject;
    return {
      subject,
      host: url.host,
      what,
      policy,
      repeatable: repeat !== false && canBeSentAgain(body),
      clock: this.clock,
      closing: this.#closing.signal,
      hostOf: (error) => this.#exchanges.hostOf(error),
      hasResponded: (host) => this.#exchanges.hasResponded(host),
      report: (retry) => this.report({ type: "retry", registry, repository, digest, ...retry }, { onEvent }),
    };
  }

  /** A token is shared: only closing the client aborts its request. */
  async #exchangeToken(request: TokenRequest) {
    const { subject, authorization, secrets: bodySecrets = [] } = request;
    const what = "a token";
    const secretHeaders = authorization === undefined ? {} : { authorization };
    const hasSecretBody = request.secrets !== undefined;
    const sent = { ...request, secretHeaders, hasSecretBody, signal: this.#closing.signal };
    const repetition = { ...this.#repetition({ ...request, what }, request), signal: undefined, limit: undefined };
    return repeatedly(repetition, async () => {
      const response = await this.#exchanges.send(sent);
      const secrets = [...response.secrets, ...secretsIn(authorization), ...bodySecrets];
      const { status } = response;
      const service = { ...subject, registry: request.url.host };
      if (!isTransientStatus(status)) {
        const document = collectDocument(response, { maxBytes: maxTokenBytes, what, digests: [] });
        return { result: { status, bytes: await namingSubject({ registry: service.registry }, document), secrets } };
      }
      const error = () => responseError({ ...response, secrets }, service, { what, writes: false });
      return { response, url: response.url, error };
    });
  }
}

const eventNames = {
  wait: "a registry has not responded yet",
  retry: "a request to a registry is repeated",
  resume: "a blob is resumed",
} as const;

function closed(): MoteError {
  return new MoteError("MOTE_CLOSED", "the registry client is closed");
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
