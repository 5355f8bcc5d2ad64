import type { Cancellable } from "@mote/core";

/** What is sent to a registry to log in. */
export type Credentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, to be exchanged at the token service that the registry names. */
  | { readonly kind: "identity-token"; readonly token: string }
  /** A bearer token, sent to the registry as it is. */
  | { readonly kind: "registry-token"; readonly token: string };

/** A source of credentials. Called once for each repository that requires a login. */
export interface CredentialSource {
  /** Returns what is stored for the registry, named as in references (`docker.io`, `host:port`); undefined for no login. @throws MOTE_CONFIG */
  get(registry: string, repository?: string, options?: Cancellable): Promise<Credentials | undefined>;
}

/** RFC 7617. */
export function basicHeader(credentials: Credentials & { readonly kind: "password" }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`, "utf8").toString("base64")}`;
}
