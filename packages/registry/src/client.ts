import { setMaxListeners } from "node:events";
import { type Cancellable, type Logger, MoteError, silentLogger } from "@mote/core";
import { type Access, type Authorization, Authorizer } from "./auth/authorizer.js";
import type { CredentialSource } from "./auth/credentials.js";
import type { TokenRequest } from "./auth/token.js";
import { type Clock, systemClock } from "./http/clock.js";
import { type ConnectionOptions, Connections } from "./http/connections.js";
import { collectDocument } from "./http/content-coding.js";
import { namingPlace, protocolError, type Subject, statusError } from "./http/errors.js";
import { type HostSet, type Hosts, hostSet } from "./http/hosts.js";
import type { HttpRequest, HttpResponse } from "./http/http-transport.js";
import { resolveLocation } from "./http/location.js";
import { secretsIn, secretsInQuery } from "./http/redact.js";
import { type Repetition, repeatedly } from "./http/repeat.js";
import { isTransientStatus, type RetryPolicy } from "./http/retry.js";
import { TimeLimit } from "./http/time-limit.js";
import type { RegistryEvent } from "./registry-event.js";

export interface RegistryClientOptions extends ConnectionOptions {
  /** Default: none, so that everything is asked for anonymously. */
  readonly credentials?: CredentialSource | undefined;
  /** Plain HTTP to every registry, or to these; to those on loopback addresses it is spoken anyway. */
  readonly plainHttp?: Hosts | undefined;
  /** Further headers, for registries only: they are not sent to where a redirect leads. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly userAgent?: string | undefined;
  /** How often a request is repeated after a fault that may pass. Default 4. */
  readonly retries?: number | undefined;
  /** The wait before the first retry, in milliseconds; it doubles up to 10 s. Default 250. */
  readonly retryDelayMs?: number | undefined;
  /** The longest wait that a registry may ask for (`Retry-After`), in milliseconds. Default 60,000. */
  readonly longestRetryAfterMs?: number | undefined;
  readonly onEvent?: ((event: RegistryEvent) => void) | undefined;
  readonly logger?: Logger | undefined;
  /** What retries and time limits are measured by. Default: the system's. */
  readonly clock?: Clock | undefined;
}

/** A request to a registry's API. */
export interface RegistryRequest extends Cancellable {
  readonly access: Access;
  readonly method: HttpRequest["method"];
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What is no `Uint8Array` can be sent once only, so such a request is never repeated. */
  readonly body?: HttpRequest["body"];
  /** False where a repetition would do harm. */
  readonly repeat?: boolean | undefined;
  /** Default: the client's. */
  readonly policy?: RetryPolicy | undefined;
  /** The time of the client's clock by which the answer has to be there, after however many retries. Default: any. */
  readonly until?: number | undefined;
  /** What is asked for, in words, for the message of a failure. */
  readonly what: string;
  /** A GET whose answer is expected to be long. */
  readonly bulk?: boolean | undefined;
  readonly reuse?: boolean | undefined;
  /** The URL was given by another host than the registry: nothing secret goes there, wherever it leads. */
  readonly isAway?: boolean | undefined;
  /** Statuses that are no failure. Default: 200 to 299. */
  readonly accepts?: ((status: number) => boolean) | undefined;
}

export interface RegistryResponse extends HttpResponse {
  /** Who has answered: the last of the URLs, where there were redirects. */
  readonly url: URL;
  /** The host that answered, where a redirect led away from the registry. */
  readonly redirectedTo: string | undefined;
  /** Whether somebody's credentials, or a token got by them, were shown for it. */
  readonly shown?: boolean | undefined;
  /** What the server was shown, and might repeat. */
  readonly secrets: readonly string[];
  /** Why the login that is stored for it was not shown, if that is so. */
  readonly unusedLogin?: (() => Promise<string | undefined>) | undefined;
}

const longestRedirection = 5;
const maxErrorBytes = 64 * 1024;
const maxTokenBytes = 1024 * 1024;
/** A request that is not answered within this is told of. */
const tellAfterMs = 1000;

/** What repositories share: connections, credentials and tokens, retries, and the bound on requests to one host. */
export class RegistryClient implements AsyncDisposable {
  /** Who is spoken to in plain HTTP, beside loopback addresses. */
  readonly plainHttp: HostSet;
  readonly policy: RetryPolicy;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly #options: RegistryClientOptions;
  readonly #connections: Connections;
  readonly #authorizer: Authorizer;
  readonly #failedAt = new WeakMap<Error, string>();
  /** Hosts that were there. */
  readonly #answered = new Set<string>();
  readonly #closing = new AbortController();

  constructor(options: RegistryClientOptions = {}) {
    this.#options = options;
    this.logger = options.logger ?? silentLogger;
    this.clock = options.clock ?? systemClock;
    this.plainHttp = hostSet(options.plainHttp, "plainHttp");
    this.policy = {
      retries: options.retries ?? 4,
      silentRetries: 2,
      timeoutRetries: 1,
      firstDelayMs: options.retryDelayMs ?? 250,
      longestDelayMs: 10_000,
      longestRetryAfterMs: options.longestRetryAfterMs ?? 60_000,
    };
    this.#connections = new Connections(options);
    const credentials = options.credentials ?? { get: async () => undefined };
    this.#authorizer = new Authorizer(
      credentials,
      (request) => this.#exchangeToken(request),
      (url, access) => this.#exchangeChallenge(url, access),
    );
  }

  /**
   * Sends a request, with what the registry wants to see, as often as it takes and the policy allows, and gives the answer to
   * `take`. A connection that breaks while `take` reads the body counts as a failed attempt.
   * @throws MOTE_UNAUTHORIZED · MOTE_FORBIDDEN · MOTE_NOT_FOUND · MOTE_RATE_LIMITED · MOTE_REGISTRY · MOTE_UNREACHABLE · MOTE_TIMEOUT
   */
  async send<T>(request: RegistryRequest, take: (answer: RegistryResponse) => T | Promise<T>): Promise<T> {
    const { access, what, signal, until } = request;
    if (this.#closing.signal.aborted) throw closed();
    // Everything that runs under a caller's signal listens to it, and Node would warn of a leak from the eleventh on.
    if (signal !== undefined) setMaxListeners(0, signal);
    const accepts = request.accepts ?? isSuccess;
    using limit = until === undefined ? undefined : new TimeLimit(this.clock, until, signal);
    const limited = { ...request, signal: limit?.signal ?? signal };
    return await repeatedly({ ...this.#repetition(request, access.subject), signal, limit }, async () => {
      const answer = await this.#authorized(limited);
      if (accepts(answer.status)) return { taken: await take(answer) };
      const fault = () => this.refusal(answer, access.subject, { what, writes: writes(request) });
      return { refused: answer, url: answer.url, fault };
    });
  }

  /** The error of an answer that is no success. Reads its body. */
  async refusal(
    answer: RegistryResponse,
    subject: Subject,
    asked: { readonly what: string; readonly writes: boolean },
  ): Promise<MoteError> {
    const text = await readText(answer);
    const contentType = answer.header("content-type")?.split(";")[0]?.trim();
    const { status, redirectedTo, shown, secrets } = answer;
    const retryAfter = answer.header("retry-after");
    const { what, writes } = asked;
    const unusedLogin = await answer.unusedLogin?.();
    const refusal = { status, shown, secrets, writes, redirectedTo, retryAfter, contentType, text, unusedLogin };
    return statusError(subject, refusal, what);
  }

  report(event: RegistryEvent): void {
    this.logger.info(eventNames[event.type], event);
    this.#options.onEvent?.(event);
  }

  /** Cuts all connections. */
  async close(): Promise<void> {
    this.#closing.abort(closed());
    await this.#connections.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #repetition(
    {
      url,
      what,
      body,
      repeat,
      policy = this.policy,
    }: Pick<RegistryRequest, "url" | "what" | "body" | "repeat" | "policy">,
    subject: Subject,
  ): Omit<Repetition, "signal" | "limit"> {
    const { registry, repository, digest } = subject;
    return {
      subject,
      host: url.host,
      what,
      policy,
      repeatable: repeat !== false && canBeSentAgain(body),
      clock: this.clock,
      closing: this.#closing.signal,
      hostOf: (error) => (error instanceof Error ? this.#failedAt.get(error) : undefined),
      hasAnswered: (host) => this.#answered.has(host),
      report: (retry) => this.report({ type: "retry", registry, repository, digest, ...retry }),
    };
  }

  async #authorized(request: RegistryRequest): Promise<RegistryResponse> {
    const { access, signal } = request;
    // What a registry gave to go on with may be on another host; nothing secret goes there.
    const isAway = request.isAway || request.url.origin !== access.origin.origin;
    if (isAway) return this.#follow(request, access.subject, undefined);
    const ask = async (authorization: Authorization | undefined): Promise<RegistryResponse> => {
      const answer = await this.#follow(request, access.subject, this.#secrets(authorization?.header));
      const shown = [...secretsIn(authorization?.header), ...Object.values(this.#options.headers ?? {})];
      return { ...answer, shown: authorization?.personal, secrets: [...answer.secrets, ...shown] };
    };
    let used = await this.#ofTokenService(access, this.#authorizer.authorization(access, signal));
    let wasGuessed = false;
    for (let asked = 1; ; asked++) {
      const shown = used;
      const answer = await ask(shown);
      const { status, redirectedTo } = answer;
      if (redirectedTo !== undefined || !mayDependOnLogin(status)) return answer;
      const refused = { ...answer, unusedLogin: () => this.#authorizer.unusedLogin(access, shown) };
      const authenticate = answer.headers("www-authenticate");
      // What was got without a challenge may be refused with one, and a token for the lack of a scope.
      const isFinal = asked === 3 || (asked === 2 && !wasGuessed && !lacksScope(authenticate));
      if (isFinal || !canBeSentAgain(request.body)) return refused;
      const refusal = { status, authenticate, method: request.method, url: request.url };
      used = await this.#ofTokenService(access, this.#authorizer.afterRefusal(access, refusal, shown, signal));
      if (used === undefined) return refused;
      answer.discard();
      wasGuessed = shown === undefined && authenticate.length === 0;
    }
  }

  /** Asks a registry how it wants to be logged in to. */
  async #exchangeChallenge(url: URL, { subject }: Access) {
    const answer = await this.#follow({ method: "GET", url }, subject, this.#secrets(undefined));
    answer.discard();
    const { status, redirectedTo } = answer;
    return redirectedTo === undefined ? { status, authenticate: answer.headers("www-authenticate") } : undefined;
  }

  /** What ends while a token is waited for is the token service's failure. */
  async #ofTokenService<T>(access: Access, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      const host = this.#authorizer.tokenHost(access);
      if (error instanceof Error && host !== undefined) this.#failedAt.set(error, host);
      throw error;
    }
  }

  /** What is for the registry alone. */
  #secrets(authorization: string | undefined): Readonly<Record<string, string>> {
    return { ...this.#options.headers, ...(authorization === undefined ? {} : { authorization }) };
  }

  /** Follows redirects. What is secret stays with the origin it was meant for, for good once a redirect has left that. */
  async #follow(
    request: Pick<RegistryRequest, "method" | "url" | "headers" | "body" | "signal" | "bulk" | "reuse"> &
      Pick<TokenRequest, "secrets">,
    subject: Subject,
    secrets: Readonly<Record<string, string>> | undefined,
  ): Promise<RegistryResponse> {
    const { method, body, signal, bulk, reuse } = request;
    let url = request.url;
    let atHome = secrets !== undefined;
    for (let hop = 0; ; hop++) {
      const headers = {
        "user-agent": this.#options.userAgent ?? "mote",
        // A coded body would have another length and digest than the content asked for.
        "accept-encoding": "identity",
        ...(atHome ? secrets : {}),
        ...request.headers,
      };
      const exchange = { method, url, headers, body, signal, bulk, reuse, isAway: !atHome };
      const answer = await this.#exchange(exchange, subject);
      const location = isRedirect(answer.status, method) ? answer.header("location") : undefined;
      if (location === undefined) {
        const secrets = hop > 0 || !atHome ? secretsInQuery(url) : [];
        return { ...answer, url, redirectedTo: atHome ? undefined : url.host, secrets };
      }
      answer.discard();
      if (!canBeSentAgain(body)) throw protocolError(subject, "it redirects a stream, which can be sent once only");
      if (hop >= longestRedirection) throw protocolError(subject, `more than ${longestRedirection} redirects`);
      url = resolveLocation(location, url, { plainHttp: this.plainHttp, subject });
      atHome &&= url.origin === request.url.origin;
      if (!atHome && request.secrets !== undefined) {
        throw protocolError(
          subject,
          `${request.url.host} redirects credentials to ${url.host}; they are not sent there`,
        );
      }
    }
  }

  /** A failure that is not the asked host's own is told with the host whose it is. */
  async #exchange(request: HttpRequest, { registry, repository, digest }: Subject): Promise<HttpResponse> {
    const { host } = request.url;
    const tell = () => this.report({ type: "wait", registry, repository, digest, host });
    const answered = this.clock.after(tellAfterMs, tell);
    try {
      const answer = await this.#connections.exchange(request);
      this.#answered.add(host);
      return answer;
    } catch (error) {
      if (error instanceof Error) this.#failedAt.set(error, host);
      throw error;
    } finally {
      answered();
    }
  }

  /** A token is for all who wait for it: it is given up with the client alone. */
  async #exchangeToken(request: TokenRequest) {
    const { subject, authorization } = request;
    const plain = { ...request, what: "a token", signal: this.#closing.signal };
    const secretHeaders = authorization === undefined ? {} : { authorization };
    const repetition = { ...this.#repetition(plain, subject), signal: undefined, limit: undefined };
    return repeatedly(repetition, async () => {
      const answer = await this.#follow(plain, subject, secretHeaders);
      const secrets = [...answer.secrets, ...secretsIn(authorization), ...(request.secrets ?? [])];
      const { status } = answer;
      const service = { ...subject, registry: request.url.host };
      if (!isTransientStatus(status)) {
        const bound = { maxBytes: maxTokenBytes, what: "a token", digests: [] };
        const bytes = await namingPlace({ registry: service.registry }, collectDocument(answer, bound));
        return { taken: { status, bytes, secrets } };
      }
      const fault = () => this.refusal({ ...answer, secrets }, service, { what: "a token", writes: false });
      return { refused: answer, url: answer.url, fault };
    });
  }
}

const eventNames = {
  wait: "a registry has not answered yet",
  retry: "a request to a registry is repeated",
  resume: "a blob is resumed",
} as const;

function closed(): MoteError {
  return new MoteError("MOTE_CLOSED", "the registry client is closed");
}

function writes({ method }: RegistryRequest): boolean {
  return method !== "GET" && method !== "HEAD";
}

/** 403 and 404, too: many registries hide from strangers what is not public. */
function mayDependOnLogin(status: number): boolean {
  return status === 401 || status === 403 || status === 404;
}

function lacksScope(authenticate: readonly string[]): boolean {
  return authenticate.some((value) => /\binsufficient_scope\b/.test(value));
}

function canBeSentAgain(body: HttpRequest["body"]): boolean {
  return body === undefined || body instanceof Uint8Array;
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** RFC 9110, section 15.4: the others than 307 and 308 may turn what writes into a GET. */
function isRedirect(status: number, method: HttpRequest["method"]): boolean {
  if (status === 307 || status === 308) return true;
  return (method === "GET" || method === "HEAD") && (status === 301 || status === 302 || status === 303);
}

/** The beginning of a refusal's body. A refusal that cannot be read to its end is a refusal all the same. */
async function readText(answer: HttpResponse): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of answer.body) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length >= maxErrorBytes) break;
    }
  } catch {
    // What came so far is what there is to say.
  }
  return text;
}
