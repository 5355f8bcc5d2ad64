import { untilAborted } from "@mote/core";
import type { Access } from "./access.js";
import { type Challenge, parseChallenges } from "./challenge.js";
import { basicHeader, type CredentialSource, type Credentials } from "./credentials.js";
import { fetchToken, realmUrl, type TokenExchange } from "./token.js";

export interface Authorization {
  readonly header: string;
  /** Whether it was obtained with credentials, rather than anonymously. */
  readonly personal: boolean;
  readonly expiresAtMs: number;
}

/** An error response that may be due to the login. */
export interface AccessError {
  readonly status: number;
  readonly authenticate: readonly string[];
  readonly method: string;
  readonly url: URL;
}

/** Sends an anonymous GET to get the registry's challenge. Undefined if the response is not the registry's own. */
export type ChallengeRequest = (
  url: URL,
  access: Access,
) => Promise<Pick<AccessError, "status" | "authenticate"> | undefined>;

/** Milliseconds for which a credentials lookup after a failed request is cached. */
const storedForMs = 30_000;

/** Provides `Authorization` headers by registry and scopes. Concurrent callers share one token request. */
export class Authorizer {
  readonly #credentials: CredentialSource;
  readonly #exchange: TokenExchange;
  readonly #request: ChallengeRequest;
  /** By registry, without scope: the challenge expected for repositories not yet requested. */
  readonly #usualChallenges = new Map<string, Challenge>();
  readonly #challenges = new Map<string, Challenge>();
  readonly #known = new Map<string, Authorization>();
  readonly #renewing = new Map<string, Promise<Authorization | undefined>>();
  /** By registry: its response to an anonymous `/v2/` request, sent once. */
  readonly #probes = new Map<string, Promise<Probe>>();
  readonly #stored = new Map<string, { readonly atMs: number; readonly found: Promise<Credentials | undefined> }>();

  constructor(credentials: CredentialSource, exchange: TokenExchange, request: ChallengeRequest) {
    this.#credentials = credentials;
    this.#exchange = exchange;
    this.#request = request;
  }

  /** Returns whether a login is known or was required before. */
  mayAuthorize(access: Access): boolean {
    return this.#known.size > 0 || this.#challenges.size > 0 || this.#usualChallenges.has(access.origin.origin);
  }

  /** Returns the first header to send; undefined if no login has been required yet, or none is stored. */
  async authorization(access: Access, signal: AbortSignal | undefined): Promise<Authorization | undefined> {
    const key = accessKey(access);
    const known = this.#known.get(key);
    if (known !== undefined && known.expiresAtMs > Date.now()) return known;
    const challenge = this.#expected(access);
    if (challenge === undefined) return undefined;
    return untilAborted(this.#renew(key, access, challenge), signal);
  }

  /**
   * Returns the header to retry with after an error response to `used`, or undefined. Some registries send no challenge, or answer
   * anonymous requests with 403 or 404: then `/v2/` is requested for its challenge.
   */
  async afterErrorResponse(
    access: Access,
    rejected: AccessError,
    used: Authorization | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Authorization | undefined> {
    const key = accessKey(access);
    const own = challengeOf(rejected, access);
    const challenge = own ?? (await untilAborted(this.#otherChallenge(access, rejected, used), signal));
    if (challenge === undefined) return undefined;
    if (own !== undefined) {
      this.#usualChallenges.set(access.origin.origin, withoutScope(own));
      this.#challenges.set(key, own);
    }
    if (this.#known.get(key)?.header === used?.header) this.#known.delete(key);
    const next = await this.authorization(access, signal);
    return next?.header === used?.header ? undefined : next;
  }

  /** Returns the host of the registry's token service, if known. */
  tokenHost(access: Access): string | undefined {
    const challenge = this.#expected(access);
    return challenge?.scheme === "bearer" ? realmUrl(challenge.parameters.realm, access.origin)?.host : undefined;
  }

  /** Returns why the stored login was not sent, for the error; undefined if none is stored, or it was sent. */
  async unusedLogin(access: Access, used: Authorization | undefined): Promise<string | undefined> {
    if (used?.personal) return undefined;
    const credentials = await this.#storedFor(access).catch(() => undefined);
    if (credentials === undefined) return undefined;
    const usual = this.#usualChallenges.get(access.origin.origin);
    if (usual?.scheme === "basic" && credentials.kind !== "password")
      return "it is a token, and a password is required";
    if (usual !== undefined) return undefined;
    return (await this.#probes.get(access.origin.origin))?.why;
  }

  async #otherChallenge(
    access: Access,
    { status, method, url }: AccessError,
    used: Authorization | undefined,
  ): Promise<Challenge | undefined> {
    const isHidden = (status === 403 || status === 404) && !used?.personal;
    if (status !== 401 && !(isHidden && (await this.#storedFor(access)) !== undefined)) return undefined;
    const expected = this.#expected(access);
    if (expected !== undefined) return expected;
    const { challenge } = await this.#probe(access, new URL("/v2/", access.origin), "/v2/");
    if (challenge === undefined && status === 401 && method === "HEAD") await this.#probe(access, url, "HEAD");
    return this.#expected(access);
  }

  #expected(access: Access): Challenge | undefined {
    return this.#challenges.get(accessKey(access)) ?? this.#usualChallenges.get(access.origin.origin);
  }

  /** Looks up credentials after a failure without a challenge. Cached, so that a missing login is not looked up each time. */
  #storedFor({ subject: { registry, repository } }: Access): Promise<Credentials | undefined> {
    const key = `${registry}/${repository ?? ""}`;
    const known = this.#stored.get(key);
    if (known !== undefined && Date.now() - known.atMs < storedForMs) return known.found;
    const found = this.#credentials.get(registry, repository);
    found.catch(() => this.#stored.delete(key));
    this.#stored.set(key, { atMs: Date.now(), found });
    return found;
  }

  /** Ignores callers' signals: it is shared. */
  #probe(access: Access, url: URL, kind: "/v2/" | "HEAD"): Promise<Probe> {
    const { origin } = access.origin;
    const key = kind === "/v2/" ? origin : `${kind} ${origin}`;
    const asked = this.#probes.get(key) ?? this.#requestChallenge(access, url);
    this.#probes.set(key, asked);
    return asked;
  }

  async #requestChallenge(access: Access, url: URL): Promise<Probe> {
    const { host, origin } = access.origin;
    let response: Awaited<ReturnType<ChallengeRequest>>;
    try {
      response = await this.#request(url, access);
    } catch {
      return { why: `${host}/v2/ cannot be reached` };
    }
    if (response === undefined) return { why: `${host}/v2/ redirects to another host` };
    const challenge = challengeOf({ status: 401, authenticate: response.authenticate }, access);
    if (challenge !== undefined && !this.#usualChallenges.has(origin))
      this.#usualChallenges.set(origin, withoutScope(challenge));
    if (challenge !== undefined) return { challenge, why: "the registry does not require it" };
    const schemes = parseChallenges(response.authenticate).map(({ scheme }) => scheme.slice(0, 20));
    const asks =
      schemes.length === 0 ? "requires no login" : `requires ${schemes.join(", ")}, which mote does not support`;
    return { why: `${host}/v2/ ${asks} [${response.status}]` };
  }

  #renew(key: string, access: Access, challenge: Challenge): Promise<Authorization | undefined> {
    const running = this.#renewing.get(key);
    if (running !== undefined) return running;
    const renewal = this.#authorization(access, challenge)
      .then((authorization) => {
        if (authorization !== undefined) this.#known.set(key, authorization);
        return authorization;
      })
      .catch((error: unknown) => {
        this.#forget(access, challenge);
        throw error;
      })
      .finally(() => this.#renewing.delete(key));
    this.#renewing.set(key, renewal);
    return renewal;
  }

  /** Removes what names a token service that failed: the registry may have another one by now, which its next challenge names. */
  #forget({ origin: { origin } }: Access, { parameters: { realm } }: Challenge): void {
    for (const [key, { parameters }] of this.#challenges) {
      if (key.split(" ")[0] === origin && parameters.realm === realm) this.#challenges.delete(key);
    }
    if (this.#usualChallenges.get(origin)?.parameters.realm === realm) this.#usualChallenges.delete(origin);
    for (const key of [origin, `HEAD ${origin}`]) this.#probes.delete(key);
  }

  async #authorization(access: Access, challenge: Challenge): Promise<Authorization | undefined> {
    const { registry, repository } = access.subject;
    const credentials = await this.#credentials.get(registry, repository);
    const personal = credentials !== undefined;
    if (credentials?.kind === "registry-token") return lasting(`Bearer ${credentials.token}`);
    if (challenge.scheme === "basic") {
      return credentials?.kind === "password" ? lasting(basicHeader(credentials)) : undefined;
    }
    const { token, expiresAtMs } = await fetchToken(access, challenge, credentials, this.#exchange);
    return { header: `Bearer ${token}`, personal, expiresAtMs };
  }
}

/** A response to an anonymous request. */
interface Probe {
  readonly challenge?: Challenge;
  /** Why no login is sent, if there is no challenge. */
  readonly why: string;
}

/** The challenge of a 401, or of a 403 to a token that lacks a scope (RFC 6750, section 3.1). */
function challengeOf(
  { status, authenticate }: Pick<AccessError, "status" | "authenticate">,
  access: Access,
): Challenge | undefined {
  const challenges = parseChallenges(authenticate);
  if (status === 401) return chooseChallenge(challenges, access);
  if (status !== 403) return undefined;
  return chooseChallenge(
    challenges.filter(({ parameters }) => parameters.error === "insufficient_scope"),
    access,
  );
}

/** Prefers a token service to sending the password. */
function chooseChallenge(challenges: readonly Challenge[], access: Access): Challenge | undefined {
  const bearers = challenges.filter(({ scheme, parameters }) => scheme === "bearer" && parameters.realm !== undefined);
  const bearer = bearers.find(({ parameters }) => realmUrl(parameters.realm, access.origin) !== undefined);
  return bearer ?? challenges.find(({ scheme }) => scheme === "basic") ?? bearers[0];
}

function withoutScope({ scheme, parameters: { scope: _, error: __, ...parameters } }: Challenge): Challenge {
  return { scheme, parameters };
}

function lasting(header: string): Authorization {
  return { header, personal: true, expiresAtMs: Number.POSITIVE_INFINITY };
}

function accessKey(access: Access): string {
  return [access.origin.origin, ...access.scopes].join(" ");
}
