import type { Digest } from "@mote/core";

const algorithm = "HS256";
const audience = "mote-fleet";
/** How long a token is valid. */
const lifetimeSeconds = 60;
/** How far the clocks of two members may differ. */
const clockToleranceSeconds = 120;

export interface FleetTokenOptions {
  /** The secret that the members share. It is never sent. */
  readonly secret: string;
  readonly digest: Digest;
}

/** Returns a token (RFC 7519) by which a member reads one blob from another. `member`: its URL. */
export async function signFleetToken({
  secret,
  digest,
  member,
}: FleetTokenOptions & { readonly member: string }): Promise<string> {
  const { SignJWT } = await import("jose");
  return new SignJWT()
    .setProtectedHeader({ alg: algorithm })
    .setIssuer(member)
    .setAudience(audience)
    .setSubject(digest)
    .setIssuedAt()
    .setExpirationTime(`${lifetimeSeconds}s`)
    .sign(keyOf(secret));
}

/** Returns the URL of the member that has signed the token; undefined if it is not valid for the blob. */
export async function verifyFleetToken(
  token: string,
  { secret, digest }: FleetTokenOptions,
): Promise<string | undefined> {
  const { jwtVerify } = await import("jose");
  try {
    const { payload } = await jwtVerify(token, keyOf(secret), {
      algorithms: [algorithm],
      audience,
      subject: digest,
      maxTokenAge: lifetimeSeconds,
      clockTolerance: clockToleranceSeconds,
      requiredClaims: ["exp", "iss"],
    });
    return payload.iss;
  } catch {
    return undefined;
  }
}

function keyOf(secret: string): Uint8Array {
  return new TextEncoder().encode(secret);
}
