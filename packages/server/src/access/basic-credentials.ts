export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/**
 * Parses an `Authorization` header (RFC 7617). Returns undefined if there is none, or one with an empty user and password, which skopeo and
 * podman send without a login; "invalid" if it has another scheme or is not well formed.
 */
export function parseBasicCredentials(authorization: string | undefined): Credentials | "invalid" | undefined {
  if (authorization === undefined) return undefined;
  const [, encoded] = /^basic +([a-z0-9+/]+={0,2})$/i.exec(authorization) ?? [];
  if (encoded === undefined) return "invalid";
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (text === ":") return undefined;
  if (colon <= 0) return "invalid";
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
