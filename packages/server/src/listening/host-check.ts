import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { ErrorResponse } from "../routing/response.js";

interface Authority {
  /** In lower case, without a trailing dot or the brackets of IPv6. */
  readonly host: string;
  readonly port: string | undefined;
}

/**
 * Checks the hosts of requests against DNS rebinding, by which a web page makes its own host name resolve to this machine to read its
 * content. IP addresses and `localhost` are safe.
 */
export class HostCheck {
  readonly #allowed: readonly Authority[];
  readonly #allowsAny: boolean;

  /** `own`: hosts that are allowed also if no others are. @throws TypeError if an entry is not a host with an optional port */
  constructor({
    allowed,
    own = [],
    isLoopback,
  }: {
    readonly allowed: readonly string[];
    readonly own?: readonly string[] | undefined;
    readonly isLoopback: boolean;
  }) {
    this.#allowed = [...allowed, ...own].map((text) => {
      const authority = parseAuthority(text);
      if (authority === undefined)
        throw new TypeError(`"${text}" is not a valid host; use a name such as mirror.lan or mirror.lan:5000`);
      return authority;
    });
    this.#allowsAny = allowed.length === 0 && !isLoopback;
  }

  /**
   * Returns path and query of the request.
   * @throws ErrorResponse if it has no host, several hosts, or one that is not allowed
   */
  targetOf({ url = "/", headers, rawHeaders, httpVersionMajor, httpVersionMinor }: IncomingMessage): string {
    const hostHeaders = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === "host").length;
    if (hostHeaders > 1) throw new ErrorResponse(400, "UNSUPPORTED", "the request has several Host headers");
    const isHttp10 = httpVersionMajor === 1 && httpVersionMinor === 0;
    if (hostHeaders === 0 && !isHttp10) throw new ErrorResponse(400, "UNSUPPORTED", "the request has no Host header");
    const [, authority, target] = /^https?:\/\/([^/?#]*)(.*)$/is.exec(url) ?? [];
    if (authority !== undefined) this.#check(authority);
    if (headers.host !== undefined && headers.host !== "") this.#check(headers.host);
    else if (!this.#allowsAny) throw hostNotAllowed();
    if (target === undefined) return url;
    return target.startsWith("/") ? target : `/${target}`;
  }

  #check(text: string): void {
    const authority = parseAuthority(text);
    if (authority === undefined) throw new ErrorResponse(400, "UNSUPPORTED", "the host of the request is not valid");
    const { host, port } = authority;
    if (this.#allowsAny || isIP(host) !== 0 || host === "localhost") return;
    const isAllowed = this.#allowed.some(
      (entry) => entry.host === host && (entry.port === undefined || entry.port === port),
    );
    if (!isAllowed) throw hostNotAllowed();
  }
}

export function isLoopbackAddress(address: string): boolean {
  return address === "::1" || (isIP(address) !== 0 && /^(::ffff:)?127\./i.test(address));
}

/** Parses a host with an optional port, without user and path. */
function parseAuthority(text: string): Authority | undefined {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_](?:[a-z0-9._-]{0,253}[a-z0-9_])?)\.?)(?::(\d{0,5}))?$/i.exec(
    text,
  );
  if (match === null) return undefined;
  const [, bracketed, name, port] = match;
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined;
  if (Number(port ?? 0) > 65_535) return undefined;
  return { host: (bracketed ?? name ?? "").toLowerCase(), port: port === "" ? undefined : port };
}

function hostNotAllowed(): ErrorResponse {
  const message = "the host of the request is not allowed; start the server with --allow-host NAME to allow it";
  return new ErrorResponse(421, "DENIED", message);
}
