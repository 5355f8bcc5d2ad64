import type { HostSet } from "./http/hosts.js";
import type { HttpRequest } from "./http/http-transport.js";
import { protocolError } from "./reports/protocol-error.js";
import type { Subject } from "./reports/subject.js";

/**
 * Resolves a redirect. Never leaves TLS: plain HTTP on a host requested over TLS is upgraded, a common mistake of a registry
 * behind a proxy; on another host it is an error. @throws MOTE_REGISTRY
 */
export function resolveLocation(
  location: string,
  from: URL,
  options: { readonly plainHttp: HostSet; readonly subject: Subject },
): URL {
  const { plainHttp, subject } = options;
  const url = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw protocolError(subject, "it redirects to what is not an http or https URL");
  }
  if (from.protocol !== "https:" || url.protocol === "https:" || plainHttp.has(url.host)) return url;
  if (url.host === from.host) {
    url.protocol = "https:";
    return url;
  }
  throw protocolError(subject, `it redirects from TLS to plain HTTP at ${url.host}; allow plain HTTP to follow it`, {
    host: url.host,
  });
}

/** RFC 9110, section 15.4: except for 307 and 308, a redirect may turn a write into a GET. */
export function isRedirect(status: number, method: HttpRequest["method"]): boolean {
  if (status === 307 || status === 308) return true;
  return (method === "GET" || method === "HEAD") && (status === 301 || status === 302 || status === 303);
}
