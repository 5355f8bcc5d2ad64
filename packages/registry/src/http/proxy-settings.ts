import { MoteError } from "@mote/core";
import { proxyExceptions } from "./no-proxy.js";

type Environment = Readonly<Record<string, string | undefined>>;

export interface ProxyServer {
  /** Without user and password. */
  readonly url: URL;
  /** The value of `Proxy-Authorization`. */
  readonly authorization?: string | undefined;
  /** The variable that sets it. */
  readonly variable: string;
}

/**
 * Returns a URL's proxy, chosen like curl and Go: `http_proxy` or `https_proxy`, else `all_proxy`, lower case first, unless `NO_PROXY`
 * excludes the host. @throws MOTE_CONFIG if the variable is not a proxy URL
 */
export function proxyFor(url: URL, env: Environment): ProxyServer | undefined {
  const variable = [...namesOf(`${url.protocol.slice(0, -1)}_proxy`), ...namesOf("all_proxy")].find(
    (name) => env[name] && !isFromRequest(name, env) && !isForOthers(name, env),
  );
  if (variable === undefined) return undefined;
  const exceptions = namesOf("no_proxy")
    .map((name) => env[name])
    .find(Boolean);
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  if (exceptions !== undefined && proxyExceptions(exceptions)(url.hostname, port)) return undefined;
  return readProxy(variable, env[variable]?.trim() ?? "");
}

function namesOf(name: string): readonly string[] {
  return [name, name.toUpperCase()];
}

/** In a CGI program, `HTTP_PROXY` is the request's `Proxy` header. */
function isFromRequest(name: string, env: Environment): boolean {
  return name === "HTTP_PROXY" && Boolean(env.REQUEST_METHOD);
}

/** Ignores a SOCKS proxy in `all_proxy`, like registry clients in Go, which do not read the variable. */
function isForOthers(name: string, env: Environment): boolean {
  return name.toLowerCase() === "all_proxy" && /^\s*socks/i.test(env[name] ?? "");
}

function readProxy(variable: string, text: string): ProxyServer {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  if (url === undefined || url.hostname === "" || (url.protocol !== "http:" && url.protocol !== "https:")) {
    // The text may contain a password.
    const scheme = /^socks/i.test(text)
      ? "names a SOCKS proxy, which mote does not support"
      : "is not the URL of a proxy";
    throw new MoteError(
      "MOTE_CONFIG",
      `${variable} ${scheme}; write http://HOST:PORT or https://HOST:PORT, or exempt hosts with NO_PROXY`,
      { details: { variable } },
    );
  }
  const { username, password } = url;
  const bare = new URL(url.origin);
  if (username === "" && password === "") return { url: bare, variable };
  const login = `${decode(username)}:${decode(password)}`;
  return { url: bare, variable, authorization: `Basic ${Buffer.from(login, "utf8").toString("base64")}` };
}

/** Keeps a `%` that encodes nothing. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
