import { protocolError, type Subject } from "./errors.js";
import type { HostSet } from "./hosts.js";

/**
 * Where a registry sends its client on to. TLS is never left: plain HTTP on the very host that was asked over TLS is the usual
 * mistake of a registry behind a proxy, and means TLS there; on another host it is refused.
 * @throws MOTE_REGISTRY
 */
export function resolveLocation(
  location: string,
  from: URL,
  options: { readonly plainHttp: HostSet; readonly subject: Subject },
): URL {
  const { plainHttp, subject } = options;
  const url = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw protocolError(subject, "it leads to what is no http or https URL");
  }
  if (from.protocol !== "https:" || url.protocol === "https:" || plainHttp.has(url.host)) return url;
  if (url.host === from.host) {
    url.protocol = "https:";
    return url;
  }
  throw protocolError(subject, `it leads from TLS to plain HTTP at ${url.host}; allow plain HTTP to follow it`, {
    host: url.host,
  });
}
