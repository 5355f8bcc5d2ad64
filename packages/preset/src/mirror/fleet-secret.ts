import { CircuitBreaker, type FetchLeases, MoteError } from "@mote/core";

/** Characters of a secret. */
const minLength = 32;
/** Milliseconds after which a secret that is known is read again. */
const readAgainAfterMs = 60_000;

/** Returns the secret of a fleet, which is checked. @throws MOTE_CONFIG */
export function checkFleetSecret(secret: string): string {
  if (secret.length >= minLength && /^[!-~]+$/.test(secret)) return secret;
  throw new MoteError(
    "MOTE_CONFIG",
    `the secret of the fleet is not valid; use ${minLength} or more printable ASCII characters without spaces, such as from openssl rand -hex 32`,
  );
}

/**
 * Returns a function that returns the secret that is stored with the leases: the first member creates it. It is read again after an error, but not for
 * a while if the store fails. One that is known is read again after a while, without waiting: another member has made a new one if it was lost.
 */
export function storedFleetSecret(leases: FetchLeases, now = () => performance.now()): () => Promise<string> {
  const breaker = new CircuitBreaker(now);
  let known: string | undefined;
  let readAgainMs = 0;
  let reading: Promise<string> | undefined;
  const read = async () => {
    if (!breaker.tryRequest()) throw new MoteError("MOTE_UNREACHABLE", "the secret of the fleet cannot be read yet");
    try {
      const { randomBytes } = await import("node:crypto");
      known = checkFleetSecret(await leases.secret(known ?? randomBytes(32).toString("base64url")));
      breaker.succeeded();
      readAgainMs = now() + readAgainAfterMs;
      return known;
    } catch (error) {
      breaker.failed();
      throw error;
    }
  };
  return async () => {
    if (known !== undefined && now() < readAgainMs) return known;
    reading ??= read().finally(() => {
      reading = undefined;
    });
    if (known === undefined) return reading;
    reading.catch(() => {});
    return known;
  };
}
