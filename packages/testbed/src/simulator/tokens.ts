import { randomUUID } from "node:crypto";
import type { Behaviour, Reply, Report, SimulatedRequest, SimulatedState } from "./behaviour.js";
import { errorReply, jsonReply, withHeaders } from "./replies.js";
import { readJson } from "./repositories.js";
import { repositoryOf } from "./route.js";

interface TokenFlow extends Report {
  /** The origin of the token service. Default `tokens`: its own. */
  readonly listener?: "registry" | "tokens";
  /** The path of the token service. */
  readonly path: string;
  readonly service?: string;
  /** The actions that need no login, except below `private/`. Default: none. */
  readonly anonymous?: "pull" | "everything";
  /** Selects the scopes of a token from the requested ones. Default: all. */
  readonly grants?: (asked: readonly string[]) => readonly string[];
  /** Returns the response body for a token. Default: `token`, valid for 300 s. */
  readonly body?: (token: string) => object;
}

// The key under which the number of the valid series of tokens is stored.
const tokenSeries = "token series";

/** Expires all tokens issued so far. */
export function expireTokens({ notes }: Pick<SimulatedState, "notes">): void {
  notes.set(tokenSeries, Number(notes.get(tokenSeries) ?? 0) + 1);
}

/** Requires tokens from a token service (distribution, "Token Authentication Specification"). */
export function tokenFlow(flow: TokenFlow): Behaviour {
  const { name, source, listener = "tokens", path } = flow;
  return {
    name,
    source,
    handle(request, next, state) {
      if (request.listener === listener && request.url.pathname === path) return issueToken(flow, request, state);
      if (request.listener !== "registry") return next();
      const needed = neededScopes(request);
      const [scheme, token = ""] = request.headers.authorization?.split(" ") ?? [];
      const { granted, series } = (scheme === "Bearer" ? readToken(token) : undefined) ?? {};
      const isValid = series === (state.notes.get(tokenSeries) ?? 0);
      if (granted !== undefined && isValid && needed.every((scope) => granted.some((one) => covers(one, scope))))
        return next();
      const realm = `${state.origins[listener]}${path}`;
      const parameters = { realm, service: flow.service, scope: needed[0] };
      const challenge = Object.entries(parameters).flatMap(([key, value]) => (value ? [`${key}="${value}"`] : []));
      const reply = errorReply(401, "UNAUTHORIZED", "authentication required");
      return withHeaders(reply, { "www-authenticate": `Bearer ${challenge.join(",")}` });
    },
  };
}

function issueToken(
  { anonymous, grants = (all) => all, body }: TokenFlow,
  request: SimulatedRequest,
  { login, notes }: SimulatedState,
): Reply {
  const shown = request.headers.authorization;
  const isKnown = login !== undefined && shown === basic(login);
  if (shown !== undefined && !isKnown) return errorReply(401, "UNAUTHORIZED", "incorrect username or password");
  const asked = grants(request.url.searchParams.getAll("scope").flatMap((scope) => scope.split(" ")));
  if (!isKnown && anonymous === undefined) return errorReply(401, "UNAUTHORIZED", "authentication required");
  const open = asked.filter((scope) => !isPrivate(splitScope(scope).name.replace(/^repository:/, "")));
  const granted = isKnown ? asked : anonymous === "everything" ? open : open.map(pullOnly);
  const token = Buffer.from(
    JSON.stringify({ granted, series: notes.get(tokenSeries) ?? 0, id: randomUUID() }),
  ).toString("base64url");
  return jsonReply(200, body?.(token) ?? { token, expires_in: 300 });
}

/** Requires the password with each request. */
export function basicFlow({
  realm,
  anonymous,
  ...report
}: Report & {
  readonly realm: string;
  /** The actions that need no login, except below `private/`. Default: none. */
  readonly anonymous?: "pull";
}): Behaviour {
  return {
    ...report,
    handle({ listener, method, route, headers }, next, { login }) {
      const shown = headers.authorization;
      const isRead = (method === "GET" || method === "HEAD") && !isPrivate(repositoryOf(route) ?? "");
      const isOpen = anonymous === "pull" && shown === undefined && isRead;
      if (listener !== "registry" || isOpen || (login !== undefined && shown === basic(login))) return next();
      const reply = errorReply(401, "UNAUTHORIZED", "authentication required");
      return withHeaders(reply, { "www-authenticate": `Basic realm="${realm}"` });
    },
  };
}

function isPrivate(repository: string): boolean {
  return repository.startsWith("private/");
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** Returns scopes `repository:NAME:ACTIONS`, first the one of the challenge. */
function neededScopes({ route, method, url }: SimulatedRequest): string[] {
  const repository = repositoryOf(route);
  if (repository === undefined) return [];
  const isRead = method === "GET" || method === "HEAD";
  const needed = [`repository:${repository}:${isRead ? "pull" : "pull,push"}`];
  const from = url.searchParams.get("from");
  return from === null ? needed : [...needed, `repository:${from}:pull`];
}

function covers(granted: string, needed: string): boolean {
  const [has, wants] = [splitScope(granted), splitScope(needed)];
  return has.name === wants.name && wants.actions.every((action) => has.actions.includes(action));
}

function pullOnly(scope: string): string {
  const { name, actions } = splitScope(scope);
  return `${name}:${actions.filter((action) => action === "pull").join(",")}`;
}

function splitScope(scope: string): { readonly name: string; readonly actions: readonly string[] } {
  const at = scope.lastIndexOf(":");
  return { name: scope.slice(0, at), actions: scope.slice(at + 1).split(",") };
}

function readToken(text: string): { readonly granted: readonly string[]; readonly series: unknown } | undefined {
  const { granted, series } = readJson(Buffer.from(text, "base64url"));
  return Array.isArray(granted) ? { granted: granted.map(String), series } : undefined;
}
