import { MoteError } from "@mote/core";
import type { CertificateSource, HostCertificates } from "./host-certificates.js";
import type { EngineOptions } from "./http-exchange.js";

export interface CertificateOptions {
  /** Certificate authorities in PEM, in place of the system's. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** A client's certificate and key in PEM, for registries and token services; not shown to where a redirect leads. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** What is kept for each host by itself: authorities beside the others, and a client's certificate in place of `cert`. */
  readonly certificates?: CertificateSource | undefined;
}

type Tls = EngineOptions["tls"];

/** How TLS is spoken to a host. */
export interface Trust {
  /** The host, where something is kept for it by itself. */
  readonly owner?: string | undefined;
  /** With the client's certificate, if there is one. */
  readonly known: Tls;
  readonly anonymous: Tls;
}

/** What is no certificate would else look like a connection that breaks. An empty host: plain HTTP. @throws MOTE_CONFIG */
export async function trustFor(host: string, options: CertificateOptions): Promise<Trust> {
  const general = tlsOptions(options);
  if (Object.keys(general).length > 0) await assertUsable(general, "the certificates of the settings (ca, cert, key)");
  const kept = host === "" ? undefined : options.certificates?.get(host);
  if (kept === undefined) return { known: general, anonymous: anonymous(general) };
  return { owner: host, ...(await withKept(general, kept, host)) };
}

async function withKept(
  general: Tls,
  { ca, cert, key }: HostCertificates,
  host: string,
): Promise<Omit<Trust, "owner">> {
  const own = { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
  await assertUsable(own, `the certificates that are kept for ${host}`);
  const known = { ...(cert === undefined ? general : anonymous(general)), ...own };
  if (ca === undefined) return { known, anonymous: anonymous(known) };
  const { createSecureContext } = await import("node:tls");
  const all = [...(general.ca === undefined ? await usualAuthorities() : [general.ca].flat()), ...ca];
  // Made once: there are some hundred authorities in it.
  const contextOf = (tls: Tls): Tls => ({ secureContext: createSecureContext({ ...tls, ca: all }) });
  return { known: contextOf(known), anonymous: contextOf(anonymous(known)) };
}

function anonymous({ cert: _, key: __, ...tls }: Tls): Tls {
  return tls;
}

/** What Node trusts unless it is told otherwise. Whoever names authorities has to name these too. */
async function usualAuthorities(): Promise<readonly string[]> {
  const tls = (await import("node:tls")).default;
  // From Node 22.15 on, with those of NODE_EXTRA_CA_CERTS.
  const current: unknown = "getCACertificates" in tls ? tls.getCACertificates : undefined;
  return typeof current === "function" ? current() : tls.rootCertificates;
}

function tlsOptions({ ca, cert, key }: CertificateOptions): Tls {
  return {
    ...(ca === undefined ? {} : { ca: isList(ca) ? ca.map(asText) : asText(ca) }),
    ...(cert === undefined ? {} : { cert: asText(cert) }),
    ...(key === undefined ? {} : { key: asText(key) }),
  };
}

async function assertUsable({ ca, cert, key }: Tls, what: string): Promise<void> {
  const { createSecureContext } = await import("node:tls");
  const authorities = [ca ?? []].flat();
  try {
    // OpenSSL takes a list of authorities that has none in it, and then trusts nobody.
    for (const one of authorities)
      if (!/-----BEGIN (?:TRUSTED )?CERTIFICATE-----/.test(one)) throw new Error("no certificate");
    createSecureContext({
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(ca === undefined ? {} : { ca: authorities }),
    });
  } catch (cause) {
    throw new MoteError("MOTE_CONFIG", `${what} cannot be used; check that they are PEM and belong together`, {
      cause,
    });
  }
}

function asText(pem: string | Uint8Array): string {
  return typeof pem === "string" ? pem : new TextDecoder().decode(pem);
}

function isList(ca: NonNullable<CertificateOptions["ca"]>): ca is readonly (string | Uint8Array)[] {
  return Array.isArray(ca);
}
