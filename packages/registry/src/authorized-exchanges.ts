import type { Access } from "./auth/access.js";
import { type Authorization, Authorizer } from "./auth/authorizer.js";
import type { CredentialSource } from "./auth/credentials.js";
import type { TokenExchange } from "./auth/token.js";
import type { Exchanges } from "./exchanges.js";
import { secretsIn } from "./http/redact.js";
import { canBeSentAgain, type RegistryRequest, type RegistryResponse } from "./registry-request.js";

interface AuthorizedOptions {
  readonly exchanges: Exchanges;
  readonly credentials: CredentialSource | undefined;
  /** Sent to registries only. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly exchangeToken: TokenExchange;
}

/** Maximum number of times a request is sent because of its login. */
const maxLogins = 3;

/** Sends requests with the registry's login. */
export class AuthorizedExchanges {
  readonly #options: AuthorizedOptions;
  readonly #authorizer: Authorizer;

  constructor(options: AuthorizedOptions) {
    this.#options = options;
    const credentials = options.credentials ?? { get: async () => undefined };
    this.#authorizer = new Authorizer(credentials, options.exchangeToken, (url, access) =>
      this.#challenge(url, access),
    );
  }

  async send(request: RegistryRequest): Promise<RegistryResponse> {
    const { access, signal } = request;
    const { exchanges } = this.#options;
    // An upload may be on another host, which gets no credentials.
    if (request.crossOrigin || request.url.origin !== access.origin.origin) {
      return exchanges.send({ ...request, ...access, secretHeaders: undefined });
    }
    let used = this.#authorizer.mayAuthorize(access)
      ? await this.#atTokenService(access, this.#authorizer.authorization(access, signal))
      : undefined;
    let wasGuessed = false;
    for (let attempt = 1; ; attempt++) {
      const sent = used;
      const response = await this.#sendWith(request, sent);
      const { status, redirectedTo } = response;
      if (redirectedTo !== undefined || !mayDependOnLogin(status)) return response;
      const final = { ...response, unusedLogin: () => this.#authorizer.unusedLogin(access, sent) };
      const authenticate = response.headers("www-authenticate");
      // A login sent without a challenge may be rejected with one, and a token for a missing scope.
      const isFinal = attempt === maxLogins || (attempt === 2 && !wasGuessed && !lacksScope(authenticate));
      if (isFinal || !canBeSentAgain(request.body)) return final;
      const rejected = { status, authenticate, method: request.method, url: request.url };
      used = await this.#atTokenService(access, this.#authorizer.afterErrorResponse(access, rejected, sent, signal));
      if (used === undefined) return final;
      response.discard();
      wasGuessed = sent === undefined && authenticate.length === 0;
    }
  }

  async #sendWith(request: RegistryRequest, login: Authorization | undefined): Promise<RegistryResponse> {
    const { exchanges, headers = {} } = this.#options;
    const secretHeaders = { ...headers, ...(login === undefined ? {} : { authorization: login.header }) };
    const response = await exchanges.send({ ...request, ...request.access, secretHeaders });
    const secrets = [...response.secrets, ...secretsIn(login?.header), ...Object.values(headers)];
    return { ...response, sentLogin: login?.personal, secrets };
  }

  /** Requests a registry's challenge anonymously. */
  async #challenge(url: URL, access: Access) {
    const secretHeaders = this.#options.headers ?? {};
    const response = await this.#options.exchanges.send({ method: "GET", url, ...access, secretHeaders });
    response.discard();
    const { status, redirectedTo } = response;
    return redirectedTo === undefined ? { status, authenticate: response.headers("www-authenticate") } : undefined;
  }

  #atTokenService<T>(access: Access, work: Promise<T>): Promise<T> {
    return this.#options.exchanges.at(() => this.#authorizer.tokenHost(access), work);
  }
}

/** Includes 403 and 404: many registries hide private content. */
function mayDependOnLogin(status: number): boolean {
  return status === 401 || status === 403 || status === 404;
}

function lacksScope(authenticate: readonly string[]): boolean {
  return authenticate.some((value) => /\binsufficient_scope\b/.test(value));
}
