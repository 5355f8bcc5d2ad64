import { hideUrlSecrets } from "@mote/core";

/** Shorter ones would be found in every text. */
const shortest = 3;

/** What an `Authorization` header gives away, in every form that somebody could repeat it in. */
export function secretsIn(authorization: string | undefined): readonly string[] {
  const [scheme = "", ...rest] = (authorization ?? "").split(" ");
  const value = rest.join(" ").trim();
  if (scheme.toLowerCase() !== "basic") return [value];
  const login = Buffer.from(value, "base64").toString("utf8");
  return [value, login, login.slice(login.indexOf(":") + 1)];
}

/** What a URL that a server has signed gives away. A digest is nobody's secret. */
export function secretsInQuery(url: URL): readonly string[] {
  const values = [...url.searchParams].filter(([name]) => name !== "digest").map(([, value]) => value);
  return [...values, ...values.map(encodeURIComponent)];
}

/**
 * Returns a server's text without what must not be repeated: what it was shown, and of URLs the user and the query, which is where
 * signatures are. The time it takes grows with the text's length, and no faster.
 */
export function redact(text: string, secrets: readonly string[]): string {
  let redacted = text;
  // The longest first, so that no part of one is left over.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    if (secret.length >= shortest) redacted = redacted.replaceAll(secret, "***");
  }
  return hideUrlSecrets(redacted);
}
