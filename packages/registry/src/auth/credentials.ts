import type { Cancellable } from "@mote/core";

/** Credentials for logging in. */
export type Credentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, exchanged at the registry's token service. */
  | { readonly kind: "identity-token"; readonly token: string }
  /** A bearer token, sent unchanged. */
  | { readonly kind: "registry-token"; readonly token: string };

/** A source of credentials. Called once for each repository that requires a login. */
export interface CredentialSource {
  /** Returns the registry's login or undefined; `registry` is as in references (`docker.io`, `host:port`). @throws MOTE_CONFIG */
  get(registry: string, repository?: string, options?: Cancellable): Promise<Credentials | undefined>;
}

/** RFC 7617. */
export function basicHeader(credentials: Credentials & { readonly kind: "password" }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`, "utf8").toString("base64")}`;
}
