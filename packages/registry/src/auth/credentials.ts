import type { Cancellable } from "@mote/core";

/** What a registry is shown. */
export type Credentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, to be exchanged at the token service that the registry names. */
  | { readonly kind: "identity-token"; readonly token: string }
  /** A bearer token, shown to the registry as it is. */
  | { readonly kind: "registry-token"; readonly token: string };

/** Where credentials come from. Asked once for each repository that wants some. */
export interface CredentialSource {
  /**
   * What is kept for the registry, named as references name it (`docker.io`, `host:port`). Undefined: go without.
   * @throws MOTE_CONFIG where the place they are kept in cannot be read
   */
  get(registry: string, repository?: string, options?: Cancellable): Promise<Credentials | undefined>;
}

/** RFC 7617. */
export function basicHeader(credentials: Credentials & { readonly kind: "password" }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`, "utf8").toString("base64")}`;
}
