import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { refuse } from "./fake-registry.js";
import { serve, type TestServer } from "./server.js";

export interface TokenServer extends TestServer {
  /** Returns whether a request has a token of this service whose scope contains `scope`. */
  admits(request: IncomingMessage, scope: string): boolean;
  /** Revokes all tokens issued so far. */
  revoke(): void;
  /** The forms of the POSTs. */
  readonly forms: URLSearchParams[];
}

/** Starts a token service at `http://HOST/token`. With `login`, it requires that user name and password, or the refresh token `refresh-NAME`. */
export async function serveTokens(
  options: { readonly login?: string; readonly expiresIn?: number; readonly field?: "token" | "access_token" } = {},
): Promise<TokenServer> {
  const tokens = new Map<string, string[]>();
  const forms: URLSearchParams[] = [];
  const { login, expiresIn = 300, field = "token" } = options;
  const server = await serve(async (request, response) => {
    const query = new URL(request.url ?? "", "http://token").searchParams;
    let scopes = query.getAll("scope");
    let known = request.headers.authorization === `Basic ${Buffer.from(login ?? "").toString("base64")}`;
    if (request.method === "POST") {
      let body = "";
      for await (const chunk of request) body += String(chunk);
      const form = new URLSearchParams(body);
      forms.push(form);
      scopes = form.get("scope")?.split(" ") ?? [];
      known = form.get("grant_type") === "refresh_token" && form.get("refresh_token") === `refresh-${login}`;
    }
    if (login !== undefined && !known) return refuse(response, 401, "UNAUTHORIZED");
    const token = randomUUID();
    tokens.set(token, scopes);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ [field]: token, expires_in: expiresIn }));
  });
  return {
    ...server,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    forms,
    admits: (request, scope) => {
      const token = request.headers.authorization?.replace(/^Bearer /, "") ?? "";
      return tokens.get(token)?.includes(scope) ?? false;
    },
    revoke: () => tokens.clear(),
  };
}
