import { type Challenge, parseChallenges } from "./challenge.js";
import { basicHeader, type CredentialSource } from "./credentials.js";
import type { Subject } from "./fault.js";
import { fetchToken, type TokenExchange } from "./token.js";
import { untilAborted } from "./waiting.js";

/** What a request needs: at which registry, and for which scopes (`repository:NAME:ACTIONS`). */
export interface Access {
  /** Origin of the registry's API. */
  readonly origin: URL;
  readonly subject: Subject;
  readonly scopes: readonly string[];
}

export interface Authorization {
  /** The value of the header. */
  readonly header: string;
  /** Whether it stands for somebody, rather than for anybody. */
  readonly personal: boolean;
  readonly expiresAtMs: number;
}

/**
 * The `Authorization` headers for registries: which scheme each asked for, and what was got for it so far, by registry and
 * scopes. A token is fetched once for all who wait for it, and one caller's abort leaves the others theirs.
 */
export class Authorizer {
  readonly #credentials: CredentialSource;
  readonly #exchange: TokenExchange;
  /** By registry, without scope: what to expect of it for a repository not asked for yet. */
  readonly #habits = new Map<string, Challenge>();
  readonly #challenges = new Map<string, Challenge>();
  readonly #known = new Map<string, Authorization>();
  readonly #renewing = new Map<string, Promise<Authorization | undefined>>();

  constructor(credentials: CredentialSource, exchange: TokenExchange) {
    this.#credentials = credentials;
    this.#exchange = exchange;
  }

  /** What to begin with; undefined where the registry has not asked for any, or there is none to show. */
  async authorization(access: Access, signal: AbortSignal | undefined): Promise<Authorization | undefined> {
    const key = accessKey(access);
    const known = this.#known.get(key);
    if (known !== undefined && known.expiresAtMs > Date.now()) return known;
    const challenge = this.#challenges.get(key) ?? this.#habits.get(access.origin.origin);
    if (challenge === undefined) return undefined;
    return untilAborted(this.#renew(key, access, challenge), signal);
  }

  /** What to show after a 401 to a request that was sent with `used`; undefined where there is nothing else. */
  async afterRefusal(
    access: Access,
    authenticate: readonly string[],
    used: Authorization | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Authorization | undefined> {
    const challenge = chooseChallenge(parseChallenges(authenticate));
    if (challenge === undefined) return undefined;
    const key = accessKey(access);
    const { scope: _, ...parameters } = challenge.parameters;
    this.#habits.set(access.origin.origin, { scheme: challenge.scheme, parameters });
    this.#challenges.set(key, challenge);
    if (this.#known.get(key)?.header === used?.header) this.#known.delete(key);
    const next = await this.authorization(access, signal);
    return next?.header === used?.header ? undefined : next;
  }

  /** The host of the token service that the registry has named, if it has. */
  tokenHost(access: Access): string | undefined {
    const challenge = this.#challenges.get(accessKey(access)) ?? this.#habits.get(access.origin.origin);
    const { realm = "" } = challenge?.scheme === "bearer" ? challenge.parameters : {};
    return URL.canParse(realm) ? new URL(realm).host : undefined;
  }

  #renew(key: string, access: Access, challenge: Challenge): Promise<Authorization | undefined> {
    const running = this.#renewing.get(key);
    if (running !== undefined) return running;
    const renewal = this.#authorization(access, challenge)
      .then((authorization) => {
        if (authorization !== undefined) this.#known.set(key, authorization);
        return authorization;
      })
      .finally(() => this.#renewing.delete(key));
    this.#renewing.set(key, renewal);
    return renewal;
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

/** A token service is preferred to the password itself. */
function chooseChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  const bearer = challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters.realm !== undefined);
  return bearer ?? challenges.find(({ scheme }) => scheme === "basic");
}

function lasting(header: string): Authorization {
  return { header, personal: true, expiresAtMs: Number.POSITIVE_INFINITY };
}

function accessKey(access: Access): string {
  return [access.origin.origin, ...access.scopes].join(" ");
}
