import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { ErrorResponse } from "./response.js";

interface Authority {
  /** In lower case, without a dot at its end; of IPv6 without brackets. */
  readonly host: string;
  readonly port: string | undefined;
}

/**
 * Which hosts requests may name. A page in a browser can have its own name lead to this machine (DNS rebinding), and reads then what no
 * other page may; its requests name its host. Addresses and `localhost` cannot be made to lead elsewhere.
 */
export class HostCheck {
  readonly #allowed: readonly Authority[];
  readonly #takesAny: boolean;

  /** @throws TypeError where an entry is not a host, with or without a port */
  constructor({ allowed, isLoopback }: { readonly allowed: readonly string[]; readonly isLoopback: boolean }) {
    this.#allowed = allowed.map((text) => {
      const authority = parseAuthority(text);
      if (authority === undefined)
        throw new TypeError(`"${text}" is not a host, such as mirror.lan or mirror.lan:5000`);
      return authority;
    });
    this.#takesAny = allowed.length === 0 && !isLoopback;
  }

  /**
   * Path and query of the request, in the form that names no host.
   * @throws Refusal where it names no host, several, or one that is not answered
   */
  targetOf({ url = "/", headers, rawHeaders, httpVersionMajor, httpVersionMinor }: IncomingMessage): string {
    const named = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === "host").length;
    if (named > 1) throw new ErrorResponse(400, "UNSUPPORTED", "the request has several Host headers");
    const isOld = httpVersionMajor === 1 && httpVersionMinor === 0;
    if (named === 0 && !isOld) throw new ErrorResponse(400, "UNSUPPORTED", "the request has no Host header");
    const [, authority, target] = /^https?:\/\/([^/?#]*)(.*)$/is.exec(url) ?? [];
    if (authority !== undefined) this.#check(authority);
    if (headers.host !== undefined && headers.host !== "") this.#check(headers.host);
    else if (!this.#takesAny) throw notAnswered();
    if (target === undefined) return url;
    return target.startsWith("/") ? target : `/${target}`;
  }

  #check(text: string): void {
    const authority = parseAuthority(text);
    if (authority === undefined)
      throw new ErrorResponse(400, "UNSUPPORTED", "the host that the request names is malformed");
    const { host, port } = authority;
    if (this.#takesAny || isIP(host) !== 0 || host === "localhost") return;
    const isAllowed = this.#allowed.some((one) => one.host === host && (one.port === undefined || one.port === port));
    if (!isAllowed) throw notAnswered();
  }
}

/** Whether only this machine reaches the address. */
export function isLoopbackAddress(address: string): boolean {
  return address === "::1" || (isIP(address) !== 0 && /^(::ffff:)?127\./i.test(address));
}

/** A host, and a port where one is given: no user, no path. */
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

function notAnswered(): ErrorResponse {
  const message =
    "this server does not answer for the host that the request names; start it with --allow-host NAME to have it answer for NAME";
  return new ErrorResponse(421, "DENIED", message);
}
