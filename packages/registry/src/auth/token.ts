import { type EventOptions, MoteError, parseRecord } from "@mote/core";
import { protocolError } from "../reports/protocol-error.js";
import { statusError } from "../reports/status-error.js";
import type { Subject } from "../reports/subject.js";
import type { Access } from "./access.js";
import type { Challenge } from "./challenge.js";
import { basicHeader, type Credentials } from "./credentials.js";

export interface TokenRequest extends EventOptions {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly authorization?: string | undefined;
  readonly body?: Uint8Array | undefined;
  /** The secrets in the body. */
  readonly secrets?: readonly string[] | undefined;
  readonly subject: Subject;
}

/** Sends a request to a token service, and returns its last response. */
export type TokenExchange = (request: TokenRequest) => Promise<TokenResponse>;

interface TokenResponse {
  readonly status: number;
  readonly bytes: Uint8Array;
  /** Secrets sent to the service, which its response may repeat. */
  readonly secrets: readonly string[];
}

export interface BearerToken {
  readonly token: string;
  /** Unix milliseconds, somewhat before the real expiry. */
  readonly expiresAtMs: number;
}

/** The default lifetime of a token, in seconds (distribution, "Token Authentication Specification"). */
const defaultLifetimeSeconds = 60;
/** The fraction of its lifetime that is used, because of clock skew and latency. */
const usablePart = 0.9;

/**
 * Fetches a token from the challenge's service: with a refresh token by POST, with a password by GET, anonymously without either.
 * @throws MOTE_UNAUTHORIZED if the service rejects the credentials · MOTE_REGISTRY
 */
export async function fetchToken(
  access: Access,
  challenge: Challenge,
  credentials: Credentials | undefined,
  exchange: TokenExchange,
): Promise<BearerToken> {
  const { subject } = access;
  const realm = tokenRealm(access, challenge, credentials);
  const scopes = mergeScopes([...access.scopes, ...(challenge.parameters.scope?.split(/\s+/) ?? [])]);
  const { service } = challenge.parameters;
  const request =
    credentials?.kind === "identity-token"
      ? refreshRequest(realm, service, scopes, credentials.token)
      : queryRequest(realm, service, scopes, credentials);
  const { status, bytes, secrets } = await exchange({ ...request, subject, onEvent: access.onEvent });
  const text = new TextDecoder().decode(bytes);
  if (status === 401 || status === 403 || (status === 400 && credentials !== undefined)) {
    throw new MoteError(
      "MOTE_UNAUTHORIZED",
      `${realm.host}, the token service of ${subject.registry}, ${credentials === undefined ? "requires credentials" : "rejected the credentials"}; log in to ${subject.registry}, with mote login, docker login or podman login`,
      { details: { ...subject, status, tokenService: realm.host } },
    );
  }
  // This says nothing about the requested content: 404 is not a miss.
  if (status >= 300 && status < 500 && status !== 429)
    throw protocolError(subject, `its token service ${realm.host} responded with ${status}`);
  if (status !== 200) throw statusError({ ...subject, registry: realm.host }, { status, text, secrets }, "a token");
  return readToken(text, subject, realm);
}

/**
 * Returns the URL of a token service, absolute or a path on the registry. Upgrades plain HTTP on a host requested over TLS, a common
 * mistake of a registry behind a proxy. Undefined if it is not an http or https URL.
 */
export function realmUrl(realm: string | undefined, origin: URL): URL | undefined {
  const base = realm?.startsWith("/") ? origin.href : undefined;
  if (realm === undefined || !URL.canParse(realm, base)) return undefined;
  const url = new URL(realm, base);
  if (url.protocol === "http:" && origin.protocol === "https:" && url.host === origin.host) url.protocol = "https:";
  return url.protocol === "https:" || url.protocol === "http:" ? url : undefined;
}

/** Merges scopes by resource, with all actions: some services read only the first scope. */
function mergeScopes(scopes: readonly string[]): string[] {
  const merged = new Map<string, Set<string>>();
  for (const scope of scopes) {
    if (scope === "") continue;
    const colon = scope.lastIndexOf(":");
    const resource = scope.slice(0, Math.max(0, colon));
    const actions = merged.get(resource) ?? new Set();
    merged.set(resource, actions);
    for (const action of scope.slice(colon + 1).split(",")) actions.add(action);
  }
  return [...merged].map(([resource, actions]) => `${resource === "" ? "" : `${resource}:`}${[...actions].join(",")}`);
}

/** Never sends credentials meant for TLS over plain HTTP. */
function tokenRealm(access: Access, challenge: Challenge, credentials: Credentials | undefined): URL {
  const url = realmUrl(challenge.parameters.realm, access.origin);
  if (url === undefined) {
    throw protocolError(access.subject, "it names a token service that is not an http or https URL");
  }
  if (credentials !== undefined && url.protocol === "http:" && access.origin.protocol === "https:") {
    throw protocolError(
      access.subject,
      `it names the token service ${url.host} over plain HTTP; credentials are not sent there`,
    );
  }
  return url;
}

function queryRequest(
  realm: URL,
  service: string | undefined,
  scopes: readonly string[],
  credentials: Credentials | undefined,
): Omit<TokenRequest, "subject" | "onEvent"> {
  const url = new URL(realm);
  if (service) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const authorization = credentials?.kind === "password" ? basicHeader(credentials) : undefined;
  return { method: "GET", url, authorization };
}

/** OAuth2, per distribution's "Oauth2 Token Authentication". */
function refreshRequest(
  url: URL,
  service: string | undefined,
  scopes: readonly string[],
  refreshToken: string,
): Omit<TokenRequest, "subject" | "onEvent"> {
  const form = new URLSearchParams({ grant_type: "refresh_token", client_id: "mote", refresh_token: refreshToken });
  if (service) form.set("service", service);
  if (scopes.length > 0) form.set("scope", scopes.join(" "));
  return {
    method: "POST",
    url,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new TextEncoder().encode(form.toString()),
    secrets: [refreshToken, encodeURIComponent(refreshToken)],
  };
}

function readToken(text: string, subject: Subject, realm: URL): BearerToken {
  const body = parseRecord(text);
  const [token] = [body?.token, body?.access_token]
    .filter((one) => typeof one === "string" && one !== "")
    .map((one) => String(one).trim());
  if (token === undefined || !/^[\x21-\x7e]+$/.test(token)) {
    throw protocolError(subject, `its token service ${realm.host} sent no token`);
  }
  // Some send a string.
  const said = Number(body?.expires_in);
  const seconds = said > 0 && Number.isFinite(said) ? said : defaultLifetimeSeconds;
  return { token, expiresAtMs: Date.now() + seconds * 1000 * usablePart };
}
