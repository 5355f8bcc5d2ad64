import { type Logger, MoteError, silentLogger } from "@mote/core";
import { authoritiesOfNode, defaultAuthorities } from "./authorities.js";
import type { CertificateSource, HostCertificates } from "./host-certificates.js";
import type { TransportOptions } from "./http-transport.js";

export interface CertificateOptions {
  /** Certificate authorities in PEM, replacing those of Node, `NODE_EXTRA_CA_CERTS`, `SSL_CERT_FILE`, `SSL_CERT_DIR` and the system. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** A client certificate and key in PEM, for registries and token services; not used for the target of a redirect. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** Per-host certificates: additional authorities, and a client certificate that replaces `cert`. */
  readonly certificates?: CertificateSource | undefined;
  /** Receives warnings of unusable certificate files. Silent by default. */
  readonly logger?: Logger | undefined;
}

type Tls = TransportOptions["tls"];

/** TLS settings for a host. */
export interface Trust {
  /** The host, if it has certificates of its own. */
  readonly owner?: string | undefined;
  /** With the client certificate, if any. */
  readonly known: Tls;
  readonly anonymous: Tls;
}

/** TLS settings by host. Reads certificates on the first TLS connection. */
export class Trusts {
  readonly #options: CertificateOptions;
  /** By host; plain HTTP under an empty name. */
  readonly #trusts = new Map<string, Promise<Trust>>();
  #authorities: Promise<readonly string[] | undefined> | undefined;
  #general: Promise<Trust> | undefined;

  constructor(options: CertificateOptions) {
    this.#options = options;
  }

  /** Text that is not a certificate would look like a connection error. @throws MOTE_CONFIG */
  of({ protocol, host }: URL): Promise<Trust> {
    const key = protocol === "https:" ? host : "";
    const found = this.#trusts.get(key) ?? this.#trustFor(key);
    this.#trusts.set(key, found);
    return found;
  }

  async #trustFor(host: string): Promise<Trust> {
    const general = await usableOptions(this.#options);
    if (host === "") return { known: general, anonymous: anonymous(general) };
    const kept = this.#options.certificates?.get(host);
    if (kept !== undefined) return { owner: host, ...(await this.#withKept(general, kept, host)) };
    this.#general ??= this.#ofAll(general);
    return this.#general;
  }

  /** For hosts without their own certificates. */
  async #ofAll(general: Tls): Promise<Trust> {
    const all = general.ca === undefined ? await this.#usualAuthorities() : undefined;
    if (all === undefined) return { known: general, anonymous: anonymous(general) };
    return withAuthorities(general, all);
  }

  async #withKept(general: Tls, kept: HostCertificates, host: string): Promise<Omit<Trust, "owner">> {
    const { ca, cert, key, files } = kept;
    const ofClient = { ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
    const named = (paths: readonly (string | undefined)[]) =>
      `the certificates stored for ${host}${paths[0] === undefined ? "" : ` in ${paths.join(" and ")}`}`;
    for (const [at, one] of (ca ?? []).entries()) await assertUsable({ ca: [one] }, named([files?.ca[at]]));
    await assertUsable(ofClient, named(files?.client ?? []));
    const known = { ...(cert === undefined ? general : anonymous(general)), ...ofClient };
    const others = general.ca === undefined ? await this.#usualAuthorities() : general.ca;
    if (ca === undefined) {
      return general.ca === undefined && others !== undefined
        ? withAuthorities(known, others)
        : { known, anonymous: anonymous(known) };
    }
    return withAuthorities(known, [...(others ?? (await authoritiesOfNode(process.env))), ...ca]);
  }

  #usualAuthorities(): Promise<readonly string[] | undefined> {
    const { logger = silentLogger } = this.#options;
    const warn = (message: string) => logger.warn(message);
    this.#authorities ??= defaultAuthorities({ env: process.env, warn });
    return this.#authorities;
  }
}

/** Created once: it contains some hundred authorities. */
async function withAuthorities(tls: Tls, ca: readonly string[]): Promise<Omit<Trust, "owner">> {
  const { createSecureContext } = await import("node:tls");
  const contextOf = (own: Tls): Tls => ({ secureContext: createSecureContext({ ...own, ca: [...ca] }) });
  const known = contextOf(tls);
  return { known, anonymous: tls.cert === undefined ? known : contextOf(anonymous(tls)) };
}

async function usableOptions(options: CertificateOptions): Promise<Tls> {
  const general = tlsOptions(options);
  if (Object.keys(general).length > 0) await assertUsable(general, "the certificates of the settings (ca, cert, key)");
  return general;
}

function anonymous({ cert: _, key: __, ...tls }: Tls): Tls {
  return tls;
}

function tlsOptions({ ca, cert, key }: CertificateOptions): Tls {
  return {
    ...(ca === undefined ? {} : { ca: [ca].flat().map(asText) }),
    ...(cert === undefined ? {} : { cert: asText(cert) }),
    ...(key === undefined ? {} : { key: asText(key) }),
  };
}

async function assertUsable(tls: Tls, what: string): Promise<void> {
  const { createSecureContext } = await import("node:tls");
  try {
    // OpenSSL accepts a list without any authority, and then trusts no host.
    for (const one of tls.ca ?? [])
      if (!/-----BEGIN (?:TRUSTED )?CERTIFICATE-----/.test(one)) throw new Error("no certificate");
    createSecureContext(tls);
  } catch (cause) {
    throw new MoteError("MOTE_CONFIG", `${what} cannot be used; check that they are PEM and belong together`, {
      cause,
    });
  }
}

function asText(pem: string | Uint8Array): string {
  return typeof pem === "string" ? pem : new TextDecoder().decode(pem);
}
